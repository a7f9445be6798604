"""Batches: identities once each, their own distractors, and the same ones for the same step."""

import numpy as np
import pytest

from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.sampler import NONE, Batch, BatchSampler


def make_samples(views: list[int], distractors: int = 3) -> list[SampleRows]:
    """Identity i has ``views[i]`` views; rows are 1000 i + 100 v, and its distractors follow."""
    return [
        SampleRows(
            f"thing-{identity}",
            tuple(
                ViewRows(row, {f"s{number}": row + 1 + number for number in range(distractors)})
                for row in range(1000 * identity, 1000 * identity + 100 * count, 100)
            ),
        )
        for identity, count in enumerate(views)
    ]


def sampler(views: list[int], *, batch_size: int = 4, distractors: int = 3, seed: int = 0) -> BatchSampler:
    samples = make_samples(views, distractors)
    return BatchSampler(samples, batch_size=batch_size, max_positives=2, max_distractors=2, seed=seed)


def as_lists(batch: Batch) -> list[list[object]]:
    return [batch.anchors.tolist(), batch.positives.tolist(), batch.distractors.tolist()]


def test_a_batch_holds_each_identity_once_with_its_own_views_and_distractors() -> None:
    drawn = sampler([3] * 10)
    for step in range(3 * drawn.steps_per_epoch):
        batch = drawn.batches(step)[0]
        assert (batch.anchors.shape, batch.positives.shape, batch.distractors.shape) == ((4,), (4, 2), (4, 2))
        identities = batch.anchors // 1000
        assert len(set(identities.tolist())) == 4
        assert (batch.positives // 1000 == identities[:, None]).all()
        for anchor, positives, distractors in zip(*as_lists(batch), strict=True):
            assert anchor not in positives
            assert len(set(positives)) == 2
            assert len(set(distractors)) == 2
        # On the background of the anchor, not of another view.
        assert (batch.distractors // 100 == batch.anchors[:, None] // 100).all()


def test_an_epoch_shows_every_identity_once() -> None:
    drawn = sampler([2] * 12)
    assert drawn.steps_per_epoch == 3
    for epoch in range(3):
        shown = np.concatenate([drawn.batches(3 * epoch + place)[0].anchors // 1000 for place in range(3)])
        assert sorted(shown.tolist()) == list(range(12))


def test_missing_slots_are_empty() -> None:
    batch = sampler([2, 3], batch_size=2, distractors=1).batches(0)[0]
    assert sorted((batch.positives == NONE).sum(axis=1).tolist()) == [0, 1]
    assert (batch.distractors == NONE).sum(axis=1).tolist() == [1, 1]


def test_without_distractors_all_slots_are_empty() -> None:
    assert (sampler([2, 2], batch_size=2, distractors=0).batches(0)[0].distractors == NONE).all()


def test_single_views_are_left_out() -> None:
    drawn = sampler([1, 2, 0, 3])
    assert (drawn.num_identities, drawn.steps_per_epoch) == (2, 1)


def test_the_same_step_gives_the_same_batch_and_another_seed_another() -> None:
    first, second, other = sampler([3] * 9), sampler([3] * 9), sampler([3] * 9, seed=1)
    second.batches(5)[0]
    assert as_lists(first.batches(7)[0]) == as_lists(second.batches(7)[0])
    assert as_lists(first.batches(7)[0]) != as_lists(other.batches(7)[0])
    assert as_lists(first.batches(7)[0]) != as_lists(first.batches(8)[0])


def test_every_view_and_distractor_has_its_turn() -> None:
    drawn = sampler([3, 3], batch_size=2)
    anchors = {int(row) for step in range(60) for row in drawn.batches(step)[0].anchors}
    distractors = {int(row) for step in range(60) for row in drawn.batches(step)[0].distractors.ravel()}
    assert anchors == {0, 100, 200, 1000, 1100, 1200}
    assert len(distractors) == 18


@pytest.mark.parametrize("views", [[], [1, 1]], ids=str)
def test_nothing_to_pair(views: list[int]) -> None:
    assert sampler(views).steps_per_epoch == 0


def varied(variants: dict[int, np.ndarray], seed: int = 0) -> BatchSampler:
    samples = make_samples([2, 3, 2], distractors=1)
    return BatchSampler(samples, batch_size=3, max_positives=2, max_distractors=2, seed=seed, variants=variants)


def test_each_slot_takes_one_variant_of_the_image_it_would_hold_and_all_have_their_turn() -> None:
    rows = [row for sample in make_samples([2, 3, 2], distractors=1) for row in sample.rows()]
    variants = {row: np.array([row, row + 10_000, row + 20_000]) for row in rows if row != 0}
    plain, drawn = varied({}), varied(variants)
    seen = set()
    for step in range(150):
        batch, expected = drawn.batches(step)[0], plain.batches(step)[0]
        for slots, images in [
            (batch.anchors, expected.anchors),
            (batch.positives, expected.positives),
            (batch.distractors, expected.distractors),
        ]:
            assert (np.where(slots == NONE, NONE, slots % 10_000) == images).all()
            seen |= set(slots.ravel().tolist())
    assert seen == {NONE, 0, *(row for found in variants.values() for row in found.tolist())}


def test_the_same_step_draws_the_same_variants() -> None:
    variants = {row: np.arange(row, row + 50) for sample in make_samples([2, 3, 2]) for row in sample.rows()}
    first, second = varied(variants), varied(variants)
    second.batches(5)[0]
    assert as_lists(first.batches(7)[0]) == as_lists(second.batches(7)[0])
    assert as_lists(first.batches(7)[0]) != as_lists(varied(variants, seed=1).batches(7)[0])


def test_every_view_is_an_anchor_once_and_meets_the_distractors_of_all() -> None:
    samples = make_samples([4, 4, 2, 3], distractors=2)
    drawn = BatchSampler(samples, batch_size=4, max_positives=3, max_distractors=2, seed=0, every_view=True)
    batches = drawn.batches(0)
    assert [len(batch.anchors) for batch in batches] == [4, 4, 3, 2]
    views_of: dict[int, list[int]] = {}
    for batch in batches:
        for anchor, positives, distractors in zip(*as_lists(batch), strict=True):
            views = [row for row in [anchor, *positives] if row != NONE]
            own = [row for row in distractors if row != NONE]
            assert sorted(views) == sorted({row // 100 * 100 for row in own})
            assert len(own) == len(set(own)) == 2 * len(views)
            # The anchor's own come first.
            assert {row // 100 * 100 for row in own[:2]} == {anchor}
            views_of.setdefault(anchor // 1000, []).append(anchor)
    assert {identity: sorted(anchors) for identity, anchors in views_of.items()} == {
        number: [view.view for view in sample.views] for number, sample in enumerate(samples)
    }


def test_every_view_takes_one_variant_of_an_image_in_all_batches() -> None:
    samples = make_samples([3] * 4, distractors=1)
    variants = {row: np.array([row, row + 10_000, row + 20_000]) for sample in samples for row in sample.rows()}
    drawn = BatchSampler(
        samples, batch_size=4, max_positives=2, max_distractors=1, seed=0, every_view=True, variants=variants
    )
    for step in range(5):
        rows = np.unique(
            [
                slot
                for batch in drawn.batches(step)
                for slot in np.concatenate([batch.anchors, batch.positives.ravel(), batch.distractors.ravel()])
            ]
        )
        assert len(rows) == 4 * 3 * 2
