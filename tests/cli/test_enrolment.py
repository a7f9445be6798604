"""Doubts about what was enrolled, on the command line: `gallery check`, and what `index` says of what it added."""

import json
from pathlib import Path

import numpy as np
import pytest
from catalogues import draw
from embeddings import look_alikes
from made_galleries import add_images, make_gallery
from PIL import Image

from nearid_search.cli.app import run
from nearid_search.similarity import unit_rows

VECTORS, CODES = look_alikes(4, 60, 5, offset=0.8, noise=0.3)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a gallery that holds a picture of something else in one identity."""
    gallery = make_gallery(tmp_path / ".nearid", VECTORS, CODES)
    stray = unit_rows(np.random.default_rng(1).normal(size=(1, VECTORS.shape[1])))
    add_images(gallery, stray, np.array([7]), start=1_000)
    return tmp_path


@pytest.mark.usefixtures("inside")
def test_a_stray_picture_is_named_with_its_identity(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gallery", "check", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report.keys() == {"checked", "of", "doubts", "reason"}
    assert (report["checked"], report["of"]) == (301, 301)
    worst = report["doubts"][0]
    assert worst.keys() == {"kind", "identity", "path", "other_identity", "other_path", "score"}
    assert (worst["kind"], worst["identity"]) == ("outlier", "thing 7")
    assert worst["path"].endswith("1000.png")
    assert run(["gallery", "check"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("outlier: ")
    assert "1000.png is unlike the other views of thing 7" in captured.out
    assert "looked at 301 of 301 views" in captured.err


def test_too_few_views_are_said_to_be_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_gallery(tmp_path / "small", VECTORS[:4], np.arange(4))
    assert run(["gallery", "check", "--gallery", str(tmp_path / "small")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nothing can be said: 0 views belong to identities of two or more" in captured.err


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
    assert (doubt["kind"], doubt["identity"], doubt["other_identity"]) == ("close", "other name", "thing 3")
    assert doubt["path"].endswith("other name/0.png")
    assert "thing 3" in doubt["other_path"]
    assert run(index) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["doubts"] == []
