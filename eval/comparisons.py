"""Readouts of one backbone side by side: a table that reads like the paper's Table 1, and tests of differences."""

from __future__ import annotations

from collections.abc import Mapping

from nearid_search.eval.embedded_split import EmbeddedSplit
from nearid_search.eval.eval_report import BASELINE_FIGURES, MASKED, Baseline, ReadoutReport
from nearid_search.eval.intervals import Sampling
from nearid_search.eval.paired import PairedDifference, paired_difference
from nearid_search.eval.protocols.gallery import GalleryResult, evaluate_gallery
from nearid_search.eval.protocols.open_set import compare_open_set
from nearid_search.eval.protocols.pairs import PairsResult, evaluate_pairs, sample_values
from nearid_search.eval.protocols.verification import compare_verification
from nearid_search.eval.readouts import FROZEN, HEAD, MEAN, OTHER


def make_baselines(
    embedded: EmbeddedSplit, reports: Mapping[str, ReadoutReport], sampling: Sampling
) -> tuple[Baseline, ...]:
    """Return the rows frozen, frozen + mask, mean token, head, head + mask and the other head, as far as they exist.

    Args:
        embedded: the split; the mean token, which has no report of its own, is judged here.
        reports: of the readouts.
        sampling: of each interval.
    """
    mean = embedded.embeddings[MEAN]
    found: list[tuple[str, PairsResult, GalleryResult]] = []
    for name in (FROZEN, MEAN, HEAD, OTHER):
        if name == MEAN:
            pairs = evaluate_pairs(embedded.placed, mean, **sampling)
            found.append((name, pairs, evaluate_gallery(embedded.placed, mean, **sampling)))
        elif name in reports:
            report = reports[name]
            found.append((name, report.pairs, report.gallery))
            if report.masked is not None and name != OTHER:
                found.append((name + MASKED, report.masked.pairs, report.masked.gallery))
    rows = []
    for name, pairs, gallery in found:
        every = {"ssr": pairs.pooled.ssr, "pa": pairs.pooled.pa, **gallery.figures}
        used = embedded.masked if name.endswith(MASKED) else embedded.placed
        n_left_out = embedded.placed.num_pictures - used.num_pictures
        figures = {figure: every[figure] for figure in BASELINE_FIGURES}
        rows.append(Baseline(name=name, figures=figures, n_left_out=n_left_out))
    return tuple(rows)


def compare_readouts(
    reports: Mapping[str, ReadoutReport], sampling: Sampling
) -> dict[str, dict[str, PairedDifference]]:
    """Test the head against the frozen readout and against the other head, as far as they exist.

    Args:
        reports: of the readouts.
        sampling: of each interval and test.

    Returns:
        By "head - frozen" and "head - other head", the difference of every figure that both have.
    """
    return {
        f"head - {name}": _difference(reports[HEAD], reports[name], sampling)
        for name in (FROZEN, OTHER)
        if HEAD in reports and name in reports
    }


def _difference(first: ReadoutReport, second: ReadoutReport, sampling: Sampling) -> dict[str, PairedDifference]:
    found = {}
    one, other = sample_values(first.pairs.margins.margins), sample_values(second.pairs.margins.margins)
    for name, (values, weights) in one.items():
        clusters = first.pairs.margins.samples
        found[name] = paired_difference(values, other[name][0], clusters, weights=weights, **sampling)
    for name, values in first.gallery.values.items():
        found[name] = paired_difference(values, second.gallery.values[name], first.gallery.codes, **sampling)
    found |= compare_verification(first.verification, second.verification, **sampling)
    return found | compare_open_set(first.open_set, second.open_set, **sampling)
