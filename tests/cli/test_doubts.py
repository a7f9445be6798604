"""Doubts about what was enrolled, on the command line: of one identity, and what `index` says of what it added."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from catalogues import draw
from embeddings import look_alikes
from made_galleries import add_images, make_gallery
from PIL import Image

from nearid_search.cli.app import run
from nearid_search.cli.render import print_index_report
from nearid_search.reports import IndexReport
from nearid_search.similarity import unit_rows
from nearid_search.suggestion import SuggestedPicture, Suggestion

VECTORS, CODES = look_alikes(4, 60, 5, offset=0.8, noise=0.3)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a gallery that holds a picture of something else in one identity."""
    gallery = make_gallery(tmp_path / ".nearid", VECTORS, CODES)
    stray = unit_rows(np.random.default_rng(1).normal(size=(1, VECTORS.shape[1])))
    add_images(gallery, stray, np.array([7]), start=1_000)
    return tmp_path


@pytest.mark.usefixtures("inside")
def test_a_stray_picture_is_named_with_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", "suggest", "thing 7", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (stray,) = [doubt for doubt in found if doubt["kind"] == "outlier"]
    assert stray["identities"] == ["thing 7"]
    assert stray["pictures"][0]["path"].endswith("1000.png")
    assert all("thing 7" in doubt["identities"] for doubt in found)
    assert run(shlex.split(stray["keep"])[1:]) == 0
    capsys.readouterr()
    assert run(["gallery", "suggest", "thing 7", "--json"]) == 0
    assert "1000.png" not in capsys.readouterr().out


@pytest.mark.usefixtures("inside")
def test_an_unknown_identity_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", "suggest", "thing 7", "thing 777"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no identity 'thing 777'" in line
    assert "gallery list" in line


def test_index_points_out_a_thing_under_a_second_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = tmp_path / "catalogue"
    for thing in range(10):
        draw(catalogue / f"thing {thing}/0.png", thing)
        picture = Image.open(catalogue / f"thing {thing}/0.png")
        picture.point(lambda value: int(0.9 * value)).save(catalogue / f"thing {thing}/1.png")
    index = ["index", str(catalogue), "--gallery", str(tmp_path / "g"), "--head", "none", "--device", "cpu"]
    index += ["--backbone", "dinov2-small", "--json"]
    assert run(index) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["doubts"] == []
    copy = catalogue / "other name" / "0.png"
    copy.parent.mkdir()
    Image.open(catalogue / "thing 3/0.png").point(lambda value: int(0.95 * value)).save(copy)
    assert run(index) == 0
    (doubt,) = json.loads(capsys.readouterr().out.splitlines()[-1])["doubts"]
    assert (doubt["kind"], doubt["identities"]) == ("duplicate", ["other name", "thing 3"])
    assert doubt["pictures"][0]["path"].endswith("other name/0.png")
    assert "thing 3" in doubt["pictures"][1]["path"]
    assert shlex.split(doubt["command"])[2:6] == ["merge", "other name", "--into", "thing 3"]
    assert run(index) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["doubts"] == []


def test_index_shows_people_both_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = SuggestedPicture("other name", "b/0.png", "k0"), SuggestedPicture("thing 3", "a/0.png", "k1")
    doubt = Suggestion("duplicate", ("other name", "thing 3"), 0.99, 0.9, picture, ("merge",), ("reject",))
    report = IndexReport(
        gallery=str(tmp_path / "g"),
        added=1,
        updated=0,
        unchanged=0,
        removed=0,
        moved=0,
        duplicates=0,
        images=1,
        identities=1,
        seconds=0.0,
        images_per_second=0.0,
        failures=(),
        doubts=(doubt,),
    )
    print_index_report(report, json=False)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("other name and thing 3 may be one (score 0.990")
    assert first.endswith("): b/0.png, a/0.png")
    assert "nearid-search gallery suggest 'other name' --html doubts.html" in last
