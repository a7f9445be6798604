"""The objectives against loops in NumPy, pytorch-metric-learning, finite differences and a case worked by hand."""

import math
from functools import partial
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from torch import Tensor

from nearid_search.errors import ConfigError, ShapeError
from nearid_search.trainer.losses import LossTerms, info_nce_loss, nearid_loss, supcon_loss

LOSSES = (nearid_loss, partial(nearid_loss, every_distractor=True), info_nce_loss, supcon_loss)
NAMES = ("anchors", "positives", "distractors")
# B, P, K, share of valid slots.
SHAPES = (
    (5, 2, 3, 1.0),
    (5, 2, 3, 0.6),
    (6, 3, 2, 0.3),
    (4, 1, 1, 0.7),
    (4, 2, 0, 0.7),
    (4, 0, 2, 0.7),
    (1, 2, 3, 1.0),
    (1, 1, 0, 1.0),
    (3, 2, 2, 0.0),
    (3, 0, 0, 1.0),
    (0, 2, 2, 1.0),
)
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_shape = pytest.mark.parametrize(("b", "p", "k", "share"), SHAPES)


def batch(b: int, p: int, k: int, share: float, *, dim: int = 6, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Vectors of many lengths and masks, from one seed."""
    seeded = torch.Generator().manual_seed(1000 * b + 100 * p + 10 * k + dim)
    vectors = [torch.randn(shape, generator=seeded, dtype=dtype) * 3 for shape in ((b, dim), (b, p, dim), (b, k, dim))]
    masks = [torch.rand((b, slots), generator=seeded) < share for slots in (p, k)]
    leaves = [tensor.requires_grad_() for tensor in vectors]
    return dict(zip((*NAMES, "positive_mask", "distractor_mask"), leaves + masks, strict=True))


def gradients(terms: LossTerms, inputs: dict[str, Any]) -> list[Tensor]:
    # allow_unused stays off: an input that the graph has lost is an error.
    return list(torch.autograd.grad(terms.total, [inputs[name] for name in NAMES]))


def values(terms: LossTerms) -> list[float]:
    return [terms.total.item(), terms.discrimination.item(), terms.ranking.item()]


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
@every_shape
def test_nearid_equals_the_loops(b: int, p: int, k: int, share: float, temperature: float, *, every: bool) -> None:
    inputs = batch(b, p, k, share)
    terms = nearid_loss(**inputs, alpha=0.3, temperature=temperature, every_distractor=every)
    named = {name: tensor.detach().numpy() for name, tensor in inputs.items()}
    discrimination, ranking = oracles.nearid(**named, temperature=temperature, every_distractor=every)
    expected = [discrimination + 0.3 * ranking, discrimination, ranking]
    np.testing.assert_allclose(values(terms), expected, rtol=1e-12, atol=1e-12)


@every_shape
def test_info_nce_and_supcon_equal_the_loops(b: int, p: int, k: int, share: float) -> None:
    inputs = batch(b, p, k, share)
    anchors, positives, distractors, positive_mask, distractor_mask = arrays(inputs)
    no_distractor = np.zeros_like(distractor_mask)
    info_nce, _ = oracles.nearid(anchors, positives, distractors, positive_mask, no_distractor, temperature=0.2)
    supcon = oracles.supcon(anchors, positives, positive_mask, temperature=0.2)
    for terms, expected in (
        (info_nce_loss(**inputs, temperature=0.2), info_nce),
        (supcon_loss(**inputs, temperature=0.2), supcon),
    ):
        np.testing.assert_allclose(values(terms), [expected, expected, 0.0], rtol=1e-12, atol=1e-12)


def arrays(inputs: dict[str, Any]) -> list[Any]:
    return [tensor.detach().numpy() for tensor in inputs.values()]


def test_a_case_worked_by_hand() -> None:
    # Each anchor meets its positive at cosine 1, everything else at 0: the denominator is e + 1 + 1.
    first, second = [2.0, 0.0], [0.0, 5.0]
    terms = nearid_loss(
        torch.tensor([first, second]),
        torch.tensor([[first], [second]]),
        torch.tensor([[second], [first]]),
        alpha=0.5,
        temperature=1.0,
    )
    discrimination, ranking = math.log(math.e + 2) - 1, math.log(2)
    assert values(terms) == pytest.approx([discrimination + ranking / 2, discrimination, ranking], rel=1e-6)


def test_the_mean_is_per_positive_slot_first() -> None:
    # Slot 0 has three terms, slot 1 has one: a plain mean over the four terms would weigh them alike.
    inputs = batch(3, 2, 1, 1.0)
    inputs["positive_mask"][1:, 1] = False
    anchors, positives = (torch.nn.functional.normalize(inputs[name], dim=-1) for name in NAMES[:2])
    own = torch.stack([anchors[i] @ positives[i, p] for i, p in ((0, 0), (1, 0), (2, 0), (0, 1))])
    pool = torch.stack([positives[0, 0], positives[1, 0], positives[2, 0], positives[0, 1]])
    term = (anchors @ pool.T).exp().sum(1).log()[[0, 1, 2, 0]] - own
    assert info_nce_loss(**inputs, temperature=1.0).total.item() == pytest.approx(
        (term[:3].mean().item() + term[3].item()) / 2, rel=1e-12
    )


def test_a_sample_that_owns_every_positive_is_not_ranked() -> None:
    inputs = batch(3, 2, 2, 1.0)
    inputs["positive_mask"][1:] = False
    anchors, positives, distractors, positive_mask, distractor_mask = arrays(inputs)
    _, expected = oracles.nearid(anchors, positives, distractors, positive_mask, distractor_mask, temperature=0.07)
    assert nearid_loss(**inputs).ranking.item() == pytest.approx(expected, rel=1e-12)


@every_loss
@pytest.mark.parametrize(("b", "p", "k", "share"), [(3, 2, 2, 0.6), (3, 2, 0, 1.0), (1, 1, 1, 1.0), (2, 1, 2, 0.0)])
def test_gradients_are_those_of_finite_differences(loss: Any, b: int, p: int, k: int, share: float) -> None:
    inputs = batch(b, p, k, share, dim=3)
    masks = {name: inputs[name] for name in ("positive_mask", "distractor_mask")}

    def parts(anchors: Tensor, positives: Tensor, distractors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        terms: LossTerms = loss(anchors, positives, distractors, **masks, temperature=0.3)
        return terms.total, terms.discrimination, terms.ranking

    assert torch.autograd.gradcheck(parts, [inputs[name] for name in NAMES])


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("content", [math.nan, math.inf, -math.inf, 1e30, 0.0])
@pytest.mark.parametrize(("b", "p", "k", "share"), [(6, 3, 2, 0.5), (3, 2, 2, 0.0)])
def test_masked_content_changes_no_bit(
    loss: Any, dtype: torch.dtype, content: float, b: int, p: int, k: int, share: float
) -> None:
    clean = batch(b, p, k, share, dtype=dtype)
    dirty = batch(b, p, k, share, dtype=dtype)
    masks = [clean["positive_mask"], clean["distractor_mask"]]
    assert all((~mask).any() for mask in masks)
    with torch.no_grad():
        for name, mask in zip(NAMES[1:], masks, strict=True):
            dirty[name][~mask] = content
    expected, terms = loss(**clean), loss(**dirty)
    assert values(terms) == values(expected)
    found = gradients(terms, dirty)
    assert all(torch.equal(left, right) for left, right in zip(found, gradients(expected, clean), strict=True))
    assert all(gradient.isfinite().all() for gradient in found)
    assert all(not gradient[~mask].any() for gradient, mask in zip(found[1:], masks, strict=True))


@every_loss
def test_a_masked_slot_is_as_good_as_no_slot(loss: Any) -> None:
    inputs = batch(4, 3, 3, 1.0)
    inputs["positive_mask"][:, 2] = False
    inputs["distractor_mask"][:, 1:] = False
    without = [inputs["anchors"], inputs["positives"][:, :2], inputs["distractors"][:, :1]]
    assert values(loss(**inputs)) == pytest.approx(values(loss(*without)), rel=1e-14)


@every_loss
@pytest.mark.parametrize(
    ("b", "p", "k", "share"), [(3, 2, 2, 0.0), (3, 0, 2, 1.0), (3, 0, 0, 1.0), (1, 0, 3, 1.0), (0, 1, 1, 1.0)]
)
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_no_valid_term_is_zero_with_a_gradient(loss: Any, b: int, p: int, k: int, share: float) -> None:
    inputs = batch(b, p, k, share)
    with torch.autograd.detect_anomaly():  # an intermediate NaN fails, even one that a mask hides later
        terms = loss(**inputs)
        assert values(terms) == [0.0, 0.0, 0.0]
        found = gradients(terms, inputs)
    for name, gradient in zip(NAMES, found, strict=True):
        assert torch.equal(gradient, torch.zeros_like(inputs[name]))


@every_loss
@every_shape
def test_the_order_of_samples_does_not_matter(loss: Any, b: int, p: int, k: int, share: float) -> None:
    inputs = batch(b, p, k, share)
    order = torch.arange(b).flip(0).roll(1)
    moved = {name: tensor.detach()[order].requires_grad_(name in NAMES) for name, tensor in inputs.items()}
    terms, again = loss(**inputs), loss(**moved)
    assert values(again) == pytest.approx(values(terms), rel=1e-12, abs=1e-12)
    for gradient, same in zip(gradients(terms, inputs), gradients(again, moved), strict=True):
        torch.testing.assert_close(same, gradient[order], rtol=1e-12, atol=1e-12)


def test_alpha_zero_is_discrimination_alone() -> None:
    inputs = batch(5, 2, 3, 0.6)
    terms = nearid_loss(**inputs, alpha=0.0)
    assert terms.ranking.item() > 0
    assert torch.equal(terms.total, terms.discrimination)
    alone = torch.autograd.grad(terms.discrimination, [inputs[name] for name in NAMES], retain_graph=True)
    assert all(torch.equal(left, right) for left, right in zip(gradients(terms, inputs), alone, strict=True))


@every_loss
def test_the_length_of_a_vector_does_not_matter(loss: Any) -> None:
    inputs = batch(4, 2, 2, 0.8)
    longer = inputs | {name: inputs[name] * 1e6 for name in NAMES}
    assert values(loss(**longer)) == pytest.approx(values(loss(**inputs)), rel=1e-12)


@every_loss
def test_a_tiny_temperature_stays_finite(loss: Any) -> None:
    inputs = batch(5, 2, 3, 0.8, dtype=torch.float32)
    terms = loss(**inputs, temperature=1e-4)  # exp(1 / 1e-4) overflows every float
    assert math.isfinite(terms.total.item())
    assert all(gradient.isfinite().all() for gradient in gradients(terms, inputs))


@every_loss
def test_half_precision_is_computed_in_single(loss: Any) -> None:
    half = batch(5, 2, 3, 0.8, dtype=torch.bfloat16)
    single = half | {name: half[name].detach().float() for name in NAMES}
    expected = loss(**single)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = loss(**half)
        assert torch.equal(loss(**single).total, expected.total)
    assert terms.total.dtype == torch.float32
    assert torch.equal(terms.total, expected.total)
    assert [gradient.dtype for gradient in gradients(terms, half)] == [torch.bfloat16] * 3


def test_info_nce_is_ntxent_with_one_positive() -> None:
    # NTXentLoss leaves an anchor's other positives out of the denominator, so the two are one loss for P = 1 only.
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    inputs = batch(7, 1, 2, 1.0)
    expected = losses.NTXentLoss(temperature=0.1)(
        inputs["anchors"],
        torch.arange(7),
        ref_emb=inputs["positives"][:, 0],
        ref_labels=torch.arange(7),  # another object: the same one would mean that row i is the anchor i itself
    )
    assert info_nce_loss(**inputs, temperature=0.1).total.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize(("p", "share"), [(1, 1.0), (2, 1.0), (3, 0.6)])
def test_supcon_is_that_of_metric_learning(p: int, share: float) -> None:
    # SupConLoss on all valid views, labelled by sample. Its default reducer is the mean over the losses above zero, and
    # only views without a partner have exactly zero.
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    inputs = batch(6, p, 1, share)
    valid = inputs["positive_mask"]
    views = torch.cat([inputs["anchors"], inputs["positives"][valid]])
    labels = torch.cat([torch.arange(6), valid.nonzero()[:, 0]])
    expected = losses.SupConLoss(temperature=0.1)(views, labels)
    assert supcon_loss(**inputs, temperature=0.1).total.item() == pytest.approx(expected.item(), rel=1e-12)


@every_loss
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"anchors": torch.ones(4, 1, 6)}, "anchors must be"),
        ({"anchors": torch.ones(4, 6, dtype=torch.int64)}, "int64"),
        (
            {"anchors": torch.ones(4, 0), "positives": torch.ones(4, 2, 0), "distractors": torch.ones(4, 2, 0)},
            "anchors",
        ),
        ({"positives": torch.ones(4, 6)}, r"positives must be \(4, slots, 6\)"),
        ({"positives": torch.ones(3, 2, 6)}, "positives must be"),
        ({"positives": torch.ones(4, 2, 5)}, r"got \(4, 2, 5\)"),
        ({"positives": torch.ones(4, 2, 6, dtype=torch.float64)}, r"\(4, slots, 6\) torch.float32 on cpu"),
        ({"positives": torch.ones(4, 2, 6, device="meta")}, "on meta"),
        ({"distractors": torch.ones(4, 6)}, "distractors must be"),
        ({"distractors": torch.ones(5, 2, 6)}, "distractors must be"),
        ({"distractors": torch.ones(4, 2, 6, dtype=torch.float16)}, "float16"),
        ({"positive_mask": torch.ones(4, 3, dtype=torch.bool)}, r"positive_mask must be \(4, 2\) torch.bool"),
        ({"positive_mask": torch.ones(4, 2)}, "torch.float32"),
        ({"distractor_mask": torch.ones(4, dtype=torch.bool)}, "distractor_mask must be"),
        ({"distractor_mask": torch.ones(4, 2, dtype=torch.uint8)}, "uint8"),
    ],
)
def test_other_shapes_and_types_are_refused(loss: Any, changes: dict[str, Tensor], message: str) -> None:
    good = {"anchors": torch.ones(4, 6), "positives": torch.ones(4, 2, 6), "distractors": torch.ones(4, 2, 6)}
    loss(**good)
    with pytest.raises(ShapeError, match=message):
        loss(**(good | changes))


@every_loss
@pytest.mark.parametrize("setting", ["alpha", "temperature"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_settings_out_of_range_are_refused(loss: Any, setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{setting} is {value}"):
        loss(**batch(2, 1, 1, 1.0), **{setting: value})


@every_loss
def test_a_temperature_of_zero_is_refused(loss: Any) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        loss(**batch(2, 1, 1, 1.0), temperature=0.0)
