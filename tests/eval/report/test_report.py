"""The report from pictures on disk to one file, with the real backbone."""

import base64
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from browser import DESK, PHONE, open_browser, visit
from html_pages import Page, read_page
from PIL import Image
from small_heads import write_head
from training_sets import Drawn, file_name, two_views, write_folder, write_manifest

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.evaluate import EvalOptions, evaluate
from nearid_search.eval.report import render_report, write_report
from nearid_search.eval.report.page import percent, span
from nearid_search.trainer.datasets import open_dataset

HOSTILE = "\"><script>alert('x')</script>"
NAMES = ("cup", "jug", "lamp", "pan", HOSTILE)
IMAGES = [
    image._replace(source=image.source and f"<b>{image.source}</b>")
    for number, name in enumerate(NAMES)
    for image in two_views("test", name, 100 * number)
]
QUICK = EvalOptions(resamples=100)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, encoder: IdentityEncoder) -> EvalReport:
    """Head, frozen and another head on a manifest with hostile names, a mask, a broken picture and a lone view."""
    folder = tmp_path_factory.mktemp("<i>set")
    others = [Drawn("test", "lid", 1, "positive", "", 900), Drawn("test", "cup", 1, "mask", "", 901)]
    table = write_manifest(folder, [*IMAGES, *others, Drawn("test", "lid", 2, "positive", "", 902)], ".csv")
    (folder / f"pictures/{len(IMAGES) + 2}.png").write_bytes(b"no picture")
    heads = [write_head(folder / f"head-{seed}", encoder.backbone.spec, seed=seed) for seed in (1, 2)]
    with_head = IdentityEncoder(encoder.backbone, head=heads[0])
    return evaluate(
        open_dataset(table), with_head, compare=heads[1], options=QUICK, command=f"nearid-search eval {HOSTILE}"
    )


@pytest.fixture(scope="module")
def text(report: EvalReport) -> str:
    return render_report(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return read_page(text)


def test_nothing_is_loaded_from_elsewhere(text: str, page: Page) -> None:
    for element in page.elements:
        addresses = [element.attributes[name] for name in ("src", "href", "data") if name in element.attributes]
        assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in addresses), element
        assert not [name for name in element.attributes if name.startswith("on") or name in ("style", "srcset")]
    assert not page.all("script", "link", "iframe", "object", "base")
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = (e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def ids(page: Page) -> list[str]:
    return [element.attributes["id"] for element in page.elements if "id" in element.attributes]


def test_hostile_names_are_words(report: EvalReport, page: Page) -> None:
    words = page.all("body")[0].text
    for name in (HOSTILE, "<b>flux</b>", report.dataset, report.command):
        assert name in words
    assert not [e for e in page.all("b") if e.text in ("flux", "sdxl")]
    assert not page.all("i", "script")


def test_the_page_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.all("html")[0].attributes["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4")]
    assert max(np.diff(levels)) <= 1
    assert len(ids(page)) == len(set(ids(page)))
    assert {e.attributes["href"][1:] for e in page.all("a")} <= set(ids(page))
    assert {e.attributes["aria-labelledby"] for e in page.all("section")} <= set(ids(page))
    for table in page.all("table"):
        assert [e for e in page.all("caption") if table in e.inside and e.text.strip()]
    for cell in page.all("th"):
        assert cell.attributes["scope"] == ("row" if cell.has("tbody") else "col")
    for image in page.all("img"):
        assert image.attributes["alt"].strip()
    drawings = [e for e in page.all("svg") if e.attributes.get("aria-hidden") != "true"]
    assert len(drawings) == 6  # margins of all and two sources, Recall@k, ROC, DET
    for drawing in drawings:
        assert drawing.attributes["role"] == "img"
        assert "head" in drawing.attributes["aria-label"]


def test_the_tables_hold_the_figures_of_the_report(report: EvalReport, page: Page) -> None:
    tables = page.tables()
    titles = {"SSR": "ssr", "PA": "pa", "Recall@1": "recall@1", "Recall@10": "recall@10", "mAP": "map"}
    for title, name in titles.items():
        for place, readout in enumerate(("head", "frozen", "other head")):
            figure = report.readouts[readout].figures[name]
            expected = f"{percent(figure.value)} {span(figure)} n {figure.n:,}"
            assert tables["All figures, in percent"][title][place] == expected
    baselines = tables["Ways of reading one backbone, in percent"]
    assert list(baselines) == ["frozen", "frozen + mask *", "mean token", "head", "head + mask *", "other head"]
    assert list(tables["By distractor source, in percent"]) == ["<b>flux</b>", "<b>sdxl</b>"]
    assert tables["What was left out"]["views"] == ["1"]
    beside = [element.text for element in page.all("p") if element.attributes.get("class") == "note"]
    assert [line for line in beside if line.startswith("left out: ")] == [report.left_out_line] * 2
    assert report.star in beside
    assert "By category, in percent" not in tables  # the only one says what the headline says
    assert tables["Recall@1 from one other view, by difference in seed, in percent"]


def test_how_it_was_made_is_written_down(report: EvalReport, page: Page) -> None:
    words = page.all("body")[0].text
    for name in (report.command, report.data_sha256, report.encoder, report.versions["numpy"]):
        assert name in words
    assert all(failure.error in words for failure in report.embedded.dropped.failures)


def test_the_recall_curve_goes_through_recall_at_k(report: EvalReport) -> None:
    for readout in report.readouts.values():
        ranks = readout.gallery.first_ranks
        assert (ranks == 0).sum() == readout.gallery.n_lone == 1
        for k in (1, 5, 10):
            assert np.mean(ranks[ranks > 0] <= k) == pytest.approx(readout.gallery.figures[f"recall@{k}"].value)


def test_the_first_strip_is_the_worst_search(report: EvalReport, page: Page) -> None:
    placed, vectors = report.embedded.placed, report.embedded.embeddings["head"].astype(np.float64)
    worst, lost = (np.inf, -1, -1, -1), 0
    for row, code in zip(placed.view_rows.tolist(), placed.view_codes.tolist(), strict=True):
        own = [int(r) for r in placed.view_rows[placed.view_codes == code] if r != row]
        others = [int(r) for r in (*placed.view_rows[placed.view_codes != code], *placed.distractor_rows)]
        if own:
            right, wrong = (max(rows, key=lambda r: float(vectors[row] @ vectors[r])) for rows in (own, others))
            margin = float(vectors[row] @ vectors[right] - vectors[row] @ vectors[wrong])
            worst, lost = min(worst, (margin, row, right, wrong)), lost + (margin <= 0)
    first = page.all("article")[0]
    margin, *rows = worst
    assert f"head {margin:+.3f}" in " ".join(first.text.split())
    assert f"{lost} of 10 searches are lost" in page.all("body")[0].text
    shown = [element.attributes["src"] for element in page.all("img") if first in element.inside]
    assert len(shown) == 3
    for uri, row in zip(shown, rows, strict=True):
        thumbnail = Image.open(BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))))
        original = Image.open(BytesIO(report.embedded.pictures[row].image.read_bytes())).convert("RGB")
        assert max(thumbnail.size) <= 192
        difference = np.asarray(original.resize((8, 8)), float) - np.asarray(thumbnail.resize((8, 8)), float)
        assert np.abs(difference).mean() < 8


def test_the_same_report_gives_the_same_bytes(tmp_path: Path, report: EvalReport, text: str) -> None:
    write_report(report, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == text.encode()
    with pytest.raises(ConfigError, match=r"cannot write .*nowhere/report\.html: No such file"):
        write_report(report, tmp_path / "nowhere" / "report.html")


def test_a_picture_that_has_gone_since_is_named(tmp_path: Path, encoder: IdentityEncoder) -> None:
    images = [image for number, name in enumerate(NAMES[:3]) for image in two_views("test", name, 100 * number)]
    folder = write_folder(tmp_path / "set", images)
    found = evaluate(open_dataset(folder), encoder, options=QUICK)
    for image in images:
        (folder / file_name(image)).unlink()
    page = read_page(render_report(found))
    assert not page.all("img")
    gone = [e.text for e in page.all("div") if e.attributes.get("class") == "missing"]
    assert gone
    assert set(gone) == {"can no longer be read: no such file"}


@pytest.mark.parametrize(
    ("names", "views", "reasons"),
    [
        ("abc", (1, 2), ["has no distractors, and SSR and PA"]),
        ("abc", (1,), ["no identity has two views", "has no distractors"]),
        ("a", (1, 2), ["no mated search", "one identity: an interval takes two or more"]),
        ("a", (1,), ["no mated search", "no identity has two views"]),
    ],
)
def test_figures_that_do_not_exist_say_why(
    tmp_path: Path, encoder: IdentityEncoder, names: str, views: tuple[int, ...], reasons: list[str]
) -> None:
    images = [
        Drawn("test", name, view, "positive", "", 10 * n + view) for n, name in enumerate(names) for view in views
    ]
    found = evaluate(open_dataset(write_folder(tmp_path, images)), encoder, options=QUICK)
    words = read_page(render_report(found)).all("body")[0].text
    assert "no head was given" in words
    assert "nan" not in re.findall(r"\w+", words)
    for reason in reasons:
        assert reason in words


def test_a_browser_shows_it_whole_on_a_phone_and_on_a_desk(tmp_path: Path, report: EvalReport) -> None:
    path = tmp_path / "report.html"
    write_report(report, path)
    with open_browser() as browser:
        for device, scheme in ((PHONE, "light"), (PHONE, "dark"), (DESK, "light"), (DESK, "dark")):
            with visit(browser, color_scheme=scheme, **device) as seen:
                seen.page.goto(path.as_uri())
                assert seen.width() <= device["viewport"]["width"]
                assert seen.page.evaluate("document.images.length") > 0
                broken = "[...document.images].filter(image => !image.complete || !image.naturalWidth).length"
                assert seen.page.evaluate(broken) == 0
                background = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
                assert background == ("rgb(20, 21, 23)" if scheme == "dark" else "rgb(251, 251, 250)")
                seen.page.screenshot(path=tmp_path / "report.png")
                assert seen.complaints == []
                assert {address for address in seen.requests if not address.startswith("data:")} == {path.as_uri()}
    assert len(np.unique(np.asarray(Image.open(tmp_path / "report.png").convert("L")))) > 50
