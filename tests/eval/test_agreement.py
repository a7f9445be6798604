"""M-H against a textbook computation, on made-up ratings and, where they are at hand, on the published ones."""

import json
import math
import os
from contextlib import suppress
from itertools import product
from pathlib import Path
from statistics import StatisticsError, correlation

import numpy as np
import pytest
from rating_folders import GROUPS, METHODS, PROMPTS, SCORERS, change, human_file, score_file, write_json, write_ratings

from nearid_search.errors import DatasetError
from nearid_search.eval.agreement import Agreement, Missing, human_agreement
from nearid_search.eval.ratings import read_ratings

PUBLISHED = os.environ.get("NEARID_DREAMBENCH_DIR")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ratings(tmp_path / "ratings")


def agree(folder: Path) -> dict[str, Agreement]:
    return human_agreement(read_ratings(folder, category="style"))


def textbook(folder: Path, scorer: str, left_out: tuple[str, ...] = ()) -> tuple[float, dict[str, float]]:
    """M-H from the files, step by step."""
    per_method = {}
    for method in METHODS:
        scores = json.loads(score_file(folder, scorer, method).read_text())
        total = 0.0
        for group in GROUPS:
            rated = json.loads(human_file(folder, group, method).read_text())
            prompts = [prompt for prompt in PROMPTS if prompt not in left_out]
            r = correlation([scores[f"{prompt}_0"] for prompt in prompts], [rated[prompt] for prompt in prompts])
            total += round(r, 4)
        per_method[method] = total / len(GROUPS)
    z = [math.atanh(min(0.9999, max(-0.9999, r))) for r in per_method.values()]
    return math.tanh(sum(z) / len(z)), per_method


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_textbook(tmp_path: Path, seed: int) -> None:
    folder = write_ratings(tmp_path, seed=seed)
    found = agree(folder)
    assert set(found) == set(SCORERS)
    for scorer, agreement in found.items():
        m_h, per_method = textbook(folder, scorer)
        assert agreement.m_h.value == pytest.approx(m_h, abs=1e-12)
        assert agreement.per_method == pytest.approx(per_method, abs=1e-12)
        assert (agreement.m_h.n, agreement.m_h.n_clusters) == (24, 4)
        for method, figure in agreement.methods.items():
            assert (figure.value, figure.n, figure.n_clusters) == (agreement.per_method[method], 12, 4)
            assert figure.low <= figure.value <= figure.high
        assert agreement.m_h.low < m_h < agreement.m_h.high
        assert agreement.missing == ()


def test_a_perfect_scorer_is_clipped(folder: Path) -> None:
    for method in METHODS:
        rated = json.loads(human_file(folder, "group1", method).read_text())
        write_json(human_file(folder, "group2", method), rated)
        write_json(score_file(folder, "nearid", method), {f"{key}_0": -value for key, value in rated.items()})
    found = agree(folder)["nearid"]
    assert found.per_method == dict.fromkeys(METHODS, -1.0)
    assert found.m_h.value == pytest.approx(-0.9999)


def test_the_unit_of_the_scores_does_not_matter(folder: Path) -> None:
    before = agree(folder)["nearid"]
    for method in METHODS:
        path = score_file(folder, "nearid", method)
        write_json(path, {key: value / 100 + 3 for key, value in json.loads(path.read_text()).items()})
    assert agree(folder)["nearid"].per_method == before.per_method


def test_prompts_that_somebody_lacks_are_left_out_for_all_and_named(folder: Path) -> None:
    for method in METHODS:
        change(human_file(folder, "group2", method), {PROMPTS[0]: None})
        change(score_file(folder, "nearid", method), {f"{PROMPTS[1]}_0": None, "style_09_new-0_0": 3.0})
    found = agree(folder)
    m_h, per_method = textbook(folder, "nearid", left_out=PROMPTS[:2])
    assert found["nearid"].m_h.value == pytest.approx(m_h, abs=1e-12)
    assert found["nearid"].per_method == pytest.approx(per_method, abs=1e-12)
    assert found["nearid"].n_per_method == dict.fromkeys(METHODS, 10)
    assert found["nearid"].missing == tuple(
        missing
        for method in sorted(METHODS)
        for missing in (
            Missing(method, PROMPTS[0], ("group2",)),
            Missing(method, PROMPTS[1], ("nearid",)),
            Missing(method, "style_09_new-0", ("group1", "group2")),
        )
    )
    assert len(found["backbone"].missing) == 2


def test_methods_that_one_side_lacks_are_named(folder: Path) -> None:
    score_file(folder, "nearid", "emu2").rename(score_file(folder, "nearid", "flux"))
    found = agree(folder)
    assert found["nearid"].missing_methods == ("emu2",)
    assert found["nearid"].unrated_methods == ("flux",)
    assert set(found["nearid"].per_method) == {"dreambooth_sd"}
    assert found["backbone"].missing_methods == ()


def test_a_scorer_without_any_rated_method(folder: Path) -> None:
    score_file(folder, "nearid", "emu2").unlink()
    score_file(folder, "nearid", "dreambooth_sd").rename(score_file(folder, "nearid", "flux"))
    with pytest.raises(DatasetError, match=r"nearid scores none of the methods .*: it has flux, and they have dream"):
        agree(folder)


@pytest.mark.parametrize("kept", [0, 2])
def test_too_few_prompts(folder: Path, kept: int) -> None:
    change(score_file(folder, "nearid", "emu2"), {f"{prompt}_0": None for prompt in PROMPTS[kept:]})
    with pytest.raises(DatasetError, match=rf"emu2: {kept} prompts .*\(group1 12, group2 12, nearid {kept}\), and 3"):
        agree(folder)


@pytest.mark.parametrize("side", ["group2", "nearid"])
def test_constant_values_have_no_correlation(folder: Path, side: str) -> None:
    if side == "nearid":
        change(score_file(folder, "nearid", "emu2"), {f"{prompt}_0": 3 for prompt in PROMPTS})
    else:
        change(human_file(folder, "group2", "emu2"), dict.fromkeys(PROMPTS, 3))
    with pytest.raises(DatasetError, match=f"emu2: {side} gives 3 to all 12 prompts of category 'style'"):
        agree(folder)


def test_the_interval_of_a_method_resamples_subjects(tmp_path: Path) -> None:
    """Against all 256 draws of four subjects, each as likely as the others."""
    folder = write_ratings(tmp_path, seed=3)
    figure = agree(folder)["nearid"].methods["emu2"]
    scores = json.loads(score_file(folder, "nearid", "emu2").read_text())
    rated = [json.loads(human_file(folder, group, "emu2").read_text()) for group in GROUPS]
    drawn = []
    for subjects in product("abcd", repeat=4):
        prompts = [prompt for subject in subjects for prompt in PROMPTS if f"_{subject}-" in prompt]
        own = [scores[f"{prompt}_0"] for prompt in prompts]
        with suppress(StatisticsError):  # a draw of nothing but equal ratings has no correlation
            drawn.append(sum(correlation(own, [ratings[prompt] for prompt in prompts]) for ratings in rated) / 2)
    assert (figure.low, figure.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)


def test_one_subject_has_a_figure_but_no_interval(folder: Path) -> None:
    for method in METHODS:
        for group in GROUPS:
            path = human_file(folder, group, method)
            change(path, dict.fromkeys(PROMPTS[3:]) | {PROMPTS[0]: 0, PROMPTS[1]: 4})
        for scorer in SCORERS:
            change(score_file(folder, scorer, method), dict.fromkeys(f"{prompt}_0" for prompt in PROMPTS[3:]))
    found = agree(folder)["nearid"]
    assert not math.isnan(found.m_h.value)
    assert found.as_dict()["low"] is None
    assert found.m_h.reason


@pytest.mark.skipif(not PUBLISHED, reason="NEARID_DREAMBENCH_DIR does not say where the published ratings are")
@pytest.mark.parametrize(("scorer", "m_h"), [("nearid", 0.349), ("backbone", 0.441)])
def test_the_published_figures(scorer: str, m_h: float) -> None:
    agreement = agree(Path(PUBLISHED or ""))[scorer]
    assert round(agreement.m_h.value, 3) == m_h
    assert agreement.n_per_method == dict.fromkeys(agreement.per_method, 180)
    assert len(agreement.per_method) == 7
    assert (agreement.m_h.n, agreement.m_h.n_clusters, agreement.missing) == (1260, 20, ())
