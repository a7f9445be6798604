"""The measurements of verdicts and of sets, on made-up embeddings whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
from catalogues import draw
from embeddings import look_alikes
from encoded_identities import EncodedIdentities, encode_identities
from sets import compare, set_scores
from verdicts import judge_split

from nearid_search.errors import DatasetError
from nearid_search.similarity import unit_rows


def made_up(identities: int) -> EncodedIdentities:
    """Four views of each thing, and beside each view a distractor that is nothing like it."""
    vectors, codes = look_alikes(1, identities, 4, offset=0.8, noise=0.3)
    order = np.argsort(codes, kind="stable")
    names = np.array([f"thing {code}" for code in codes[order]])
    views = np.tile([str(n) for n in range(4)], identities)
    noise = unit_rows(np.random.default_rng(2).normal(size=vectors.shape))
    return EncodedIdentities(
        np.concatenate([vectors[order], noise]),
        np.concatenate([names, names]),
        np.concatenate([views, views]),
        np.repeat(["positive", "noise"], len(names)),
        "made up",
    )


@pytest.mark.slow
def test_every_view_is_asked_once_in_each_setting_and_strangers_are_the_other_half() -> None:
    found = judge_split(made_up(60), fpir=0.05, seed=0)
    assert (found["identities"], found["views_enrolled"]) == (60, 3)
    assert len(found["promised_fnir"]) == 8
    for setting in ("own", "other half", "provisional"):
        figures = found[setting]
        assert figures["fnir"]["n"] == 240
        assert {kind: each["n"] for kind, each in figures["match_by_kind"].items()} == dict.fromkeys(
            ("known", "noise", "stranger"), 240
        )
        assert (figures["match_by_kind"]["noise"]["value"] == 0) == (setting != "provisional")
    assert found["own"]["rank1"] == found["other half"]["rank1"]
    assert found["own"]["rank1"]["value"] > 0.9
    assert found["own"]["ece"]["value"] < 0.1
    assert "ece" not in found["provisional"]
    assert found["own"]["match_by_kind"]["stranger"]["value"] < 0.2 < found["own"]["match_by_kind"]["known"]["value"]


def test_set_scores_are_what_their_names_say() -> None:
    rng = np.random.default_rng(0)
    asked, enrolled = (unit_rows(rng.normal(size=(6, 8))).reshape(3, 2, 8) for _ in range(2))
    found = set_scores(asked, enrolled)
    for thing in range(3):
        for identity in range(3):
            products = asked[thing].astype(float) @ enrolled[identity].T.astype(float)
            length = np.linalg.norm(asked[thing].mean(axis=0))
            at = (thing, identity)
            assert found["mean, best"][at] == pytest.approx(products.mean(axis=0).max())
            assert found["unit mean, best"][at] == pytest.approx(products.mean(axis=0).max() / length, abs=1e-6)
            assert found["each best, best"][at] == pytest.approx(products.max(axis=1).mean())
            assert found["highest, best"][at] == pytest.approx(products.max())
            assert found["mean, mean"][at] == pytest.approx(products.mean())


def test_sets_are_compared_with_what_the_product_does() -> None:
    vectors, codes = look_alikes(1, 30, 4, offset=0.5, noise=0.6)
    rows = compare(vectors[np.argsort(codes, kind="stable")].reshape(30, 4, -1), seed=0)
    assert rows["one picture, best"]["rank1_gain"]["value"] == rows["set: mean, best"]["rank1_gain"]["value"] == 0
    assert rows["one picture, best"]["rank1"]["n"] == 6 * 2 * 30
    assert rows["set: mean, best"]["rank1"]["value"] > rows["one picture, best"]["rank1"]["value"]


def test_pictures_are_encoded_once_and_their_folders_name_them(tmp_path: Path) -> None:
    for number, name in enumerate(("cup/0/positive", "cup/0/distractor-part", "cup/1/positive", "jug/0/positive")):
        draw(tmp_path / "test" / f"{name}.jpg", number)
    cache = tmp_path / "cache.npz"
    first = encode_identities(tmp_path / "test", cache=cache, device="cpu")
    assert first.identities.tolist() == ["cup", "cup", "cup", "jug"]
    assert first.sources.tolist() == ["part", "positive", "positive", "positive"]
    done: list[int] = []
    again = encode_identities(tmp_path / "test", cache=cache, device="cpu", on_picture=lambda n, _: done.append(n))
    np.testing.assert_array_equal(first.embeddings, again.embeddings)
    assert done == []
    assert len(encode_identities(tmp_path / "test", distractors=False, cache=cache, device="cpu").views) == 3
    with pytest.raises(DatasetError, match="holds no"):
        encode_identities(tmp_path / "nowhere")
