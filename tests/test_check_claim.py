"""A picture that is said to show an identity, against a count of all scores."""

from pathlib import Path

import numpy as np
import pytest
from catalogues import draw
from made_galleries import make_gallery

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import NotFoundError
from nearid_search.indexer.gallery import Gallery


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(6):
        draw(folder / f"{seed}.png", seed)
    return sorted(folder.iterdir())


def enrol(pictures: list[Path], codes: list[int], encoder: IdentityEncoder, folder: Path) -> SearchEngine:
    vectors = encoder.encode(pictures)
    return SearchEngine(make_gallery(folder, vectors, np.array(codes), fingerprint=encoder.fingerprint), encoder)


def test_score_and_margin_are_those_of_every_view(
    pictures: list[Path], encoder: IdentityEncoder, tmp_path: Path
) -> None:
    engine = enrol(pictures, [0, 0, 1, 1, 2, 2], encoder, tmp_path / "gallery")
    scores = (encoder.encode(pictures) @ encoder.encode(pictures).T).reshape(6, 3, 2).max(axis=2)
    names = sorted(engine.gallery.identities())
    for row, picture in enumerate(pictures):
        for claimed, name in enumerate(names):
            check = engine.check_claim(picture, name, k=2)
            assert check.score == pytest.approx(scores[row, claimed], abs=1e-5)
            others = np.delete(scores[row], claimed).max()
            assert check.margin == pytest.approx(scores[row, claimed] - others, abs=1e-5)
            assert check.answer == engine.query(picture, k=2)
            assert check.holds == (check.answer.verdict == "match" and claimed == row // 2)


def test_an_identity_that_is_alone_has_no_margin(
    pictures: list[Path], encoder: IdentityEncoder, tmp_path: Path
) -> None:
    engine = enrol(pictures[:2], [0, 0], encoder, tmp_path / "gallery")
    (name,) = Gallery.open(tmp_path / "gallery").identities()
    assert engine.check_claim(pictures[0], name).margin is None
    with pytest.raises(NotFoundError, match="no identity 'jug'"):
        engine.check_claim(pictures[0], "jug")
