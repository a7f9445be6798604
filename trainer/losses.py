"""Training objectives on identity embeddings: the two-tier NearID loss, and InfoNCE and SupCon to compare it with.

A batch has B samples. Sample i brings an anchor a_i, up to P positives g_ip (the same object, seen differently) and up
to K distractors r_ik (another object on the anchor's background). G is every valid positive of the batch, G_i those of
sample i. All vectors are scaled to unit length and l(u, v) = u·v / temperature.

    same identity  > discrimination >  near-identity distractor  > ranking >  any other object

The equations are those of Cvejic et al., *NearID*, arXiv 2604.01973, with one difference: there a padded slot stays in
the sums as the embedding of an empty picture, here it is in none. ``every_distractor`` is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from nearid_search.errors import ConfigError, ShapeError


@dataclass(frozen=True)
class LossTerms:
    """One batch's loss and its parts, each a scalar tensor with a gradient.

    Attributes:
        total: what to minimise.
        discrimination: the own positives against everything in the denominator.
        ranking: the distractors against the random others, before alpha; zero where the loss has no such term.
    """

    total: Tensor
    discrimination: Tensor
    ranking: Tensor


def nearid_loss(
    anchors: Tensor,
    positives: Tensor,
    distractors: Tensor,
    *,
    positive_mask: Tensor | None = None,
    distractor_mask: Tensor | None = None,
    alpha: float = 0.5,
    temperature: float = 0.07,
    every_distractor: bool = False,
) -> LossTerms:
    """Pull positives above the distractors, and keep the distractors above random others.

        discrimination(i, p) = -log( exp l(a_i, g_ip) / (sum_{g in G} exp l(a_i, g) + sum_k exp l(a_i, r_ik)) )
        ranking(i, k)        = softplus( log sum_{g in G without G_i} exp l(a_i, g) - l(a_i, r_ik) )
        total                = mean discrimination + alpha * mean ranking

    Discrimination is averaged over the samples that have slot p, then over the slots that any sample has; ranking over
    all valid (i, k) for which another sample has a positive. A mean over nothing is zero with a zero gradient.

    Args:
        anchors: (B, D) floating point, any length but zero; B may be 0. float16 and bfloat16 are computed in float32.
        positives: (B, P, D), same dtype and device; P may be 0.
        distractors: (B, K, D), same dtype and device; K may be 0.
        positive_mask: (B, P) bool, True = valid; None = all valid. The content of a masked slot, NaN included,
            changes no bit of the value nor of any gradient; its own gradient is zero.
        distractor_mask: (B, K) bool, likewise.
        alpha: weight of the ranking, >= 0.
        temperature: divides the cosines, > 0.
        every_distractor: let an anchor meet the valid distractors of all samples in the discrimination, r_jk for every
            j, as it will in a gallery that holds them; the published loss has only those of its own sample.

    Returns:
        Scalars in the dtype of the computation.

    Raises:
        ShapeError: if a shape, dtype or device is not as above.
        ConfigError: if ``alpha`` or ``temperature`` is out of range.
    """
    _check(anchors, alpha, temperature)
    has_positive = _checked_mask("positive", positives, positive_mask, anchors)
    has_distractor = _checked_mask("distractor", distractors, distractor_mask, anchors)
    anchors, positives, distractors = _unit(anchors), _unit(positives, has_positive), _unit(distractors, has_distractor)

    to_pool = _logits("id,jpd->ijp", anchors, positives, temperature)  # l(a_i, g_jp)
    to_own = to_pool.diagonal().T  # l(a_i, g_ip)
    to_distractors = _logits("id,ikd->ik", anchors, distractors, temperature)

    below = to_distractors if not every_distractor else _logits("id,jkd->ijk", anchors, distractors, temperature)
    hidden = (_hide(to_pool, has_positive), _hide(below, has_distractor))
    everything = torch.cat([logits.flatten(1) for logits in hidden], dim=1)
    losses = everything.logsumexp(1)[:, None] - to_own
    discrimination = _mean(_mean(losses, has_positive, 0), has_positive.any(0), 0)

    is_other = ~torch.eye(len(anchors), dtype=torch.bool, device=anchors.device)[:, :, None] & has_positive
    others = _hide(to_pool, is_other).flatten(1).logsumexp(1)[:, None]
    has_others = is_other.flatten(1).any(1)[:, None]
    ranking = _mean(softplus(others - to_distractors), has_distractor & has_others, (0, 1))
    return LossTerms(discrimination + alpha * ranking, discrimination, ranking)


def info_nce_loss(
    anchors: Tensor,
    positives: Tensor,
    distractors: Tensor,
    *,
    positive_mask: Tensor | None = None,
    distractor_mask: Tensor | None = None,
    alpha: float = 0.5,
    temperature: float = 0.07,
    every_distractor: bool = False,  # noqa: ARG001  (one signature for all)
) -> LossTerms:
    """Plain InfoNCE: the discrimination of :func:`nearid_loss` with the positives of the batch alone below the line.

    Arguments and errors are those of :func:`nearid_loss`. Distractors and ``alpha`` are checked, then ignored, as is
    ``every_distractor``.

    Returns:
        The ranking is zero and the total is the discrimination.
    """
    _check(anchors, alpha, temperature)
    _checked_mask("distractor", distractors, distractor_mask, anchors)
    none = distractors[:, :0]  # no distractor, yet of the graph: every input has a gradient whichever loss is chosen
    return nearid_loss(anchors, positives, none, positive_mask=positive_mask, alpha=alpha, temperature=temperature)


def supcon_loss(
    anchors: Tensor,
    positives: Tensor,
    distractors: Tensor,
    *,
    positive_mask: Tensor | None = None,
    distractor_mask: Tensor | None = None,
    alpha: float = 0.5,
    temperature: float = 0.07,
    every_distractor: bool = False,  # noqa: ARG001  (one signature for all)
) -> LossTerms:
    """Supervised contrastive loss (Khosla et al., arXiv 2004.11362, L_out) over all views: anchors and positives alike.

        loss(v) = mean_{u in S(v)} -log( exp l(v, u) / sum_{w != v} exp l(v, w) )

    S(v) are the other views of the sample of v. The total is the mean over the views that have any. Arguments and
    errors are those of :func:`nearid_loss`. Distractors and ``alpha`` are checked, then ignored.

    Returns:
        The ranking is zero and the total is the discrimination.
    """
    _check(anchors, alpha, temperature)
    has_positive = _checked_mask("positive", positives, positive_mask, anchors)
    _checked_mask("distractor", distractors, distractor_mask, anchors)

    views = torch.cat([_unit(anchors)[:, None], _unit(positives, has_positive)], dim=1).flatten(0, 1)
    valid = torch.cat([has_positive.new_ones(len(anchors), 1), has_positive], dim=1).flatten()
    sample = torch.arange(len(anchors), device=anchors.device).repeat_interleave(1 + positives.shape[1])
    logits = _logits("vd,wd->vw", views, views, temperature)
    is_pair = valid[:, None] & valid & ~torch.eye(len(views), dtype=torch.bool, device=views.device)
    is_same = is_pair & (sample[:, None] == sample)
    losses = _hide(logits, is_pair).logsumexp(1)[:, None] - logits
    discrimination = _mean(_mean(losses, is_same, 1), is_same.any(1), 0)
    ranking = distractors[:, :0].sum(dtype=discrimination.dtype)  # zero, yet of the graph, as in info_nce_loss
    return LossTerms(discrimination + ranking, discrimination, ranking)


def _logits(equation: str, left: Tensor, right: Tensor, temperature: float) -> Tensor:
    """Scaled cosines in full precision, even under autocast: 1/temperature magnifies what half precision rounds."""
    with torch.autocast(left.device.type, enabled=False):
        return torch.einsum(equation, left, right) / temperature


def _unit(vectors: Tensor, valid: Tensor | None = None) -> Tensor:
    """Rows of length 1. What a masked slot holds is replaced first, so not even a NaN gets any further."""
    if valid is not None:
        vectors = vectors.masked_fill(~valid[..., None], 0.0)
    return normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)), dim=-1)


def _hide(logits: Tensor, valid: Tensor) -> Tensor:
    """Logits whose exp is exactly zero where not valid. Finite: a logsumexp of nothing but -inf has a NaN gradient."""
    return logits.masked_fill(~valid, torch.finfo(logits.dtype).min)


def _mean(values: Tensor, valid: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Mean of the valid values; zero, still with a gradient, where there are none."""
    return values.masked_fill(~valid, 0.0).sum(dim) / valid.sum(dim).clamp(min=1)


def _check(anchors: Tensor, alpha: float, temperature: float) -> None:
    if anchors.ndim != 2 or anchors.shape[1] == 0 or not anchors.is_floating_point():
        raise ShapeError(f"anchors must be (B, D) floating point, got {tuple(anchors.shape)} {anchors.dtype}")
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ConfigError(f"alpha is {alpha}; give a finite number of 0 or more")
    if not (math.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature is {temperature}; give a finite number above 0")


def _checked_mask(name: str, slots: Tensor, mask: Tensor | None, anchors: Tensor) -> Tensor:
    """Refuse slots or a mask that do not fit the anchors; without a mask every slot is valid."""
    (batch, dim), dtype, device = anchors.shape, anchors.dtype, anchors.device
    per_slot = (batch, *slots.shape[1:2])
    if slots.ndim != 3 or (slots.shape, slots.dtype, slots.device) != ((*per_slot, dim), dtype, device):
        expected = f"({batch}, slots, {dim}) {dtype} on {device} like the anchors"
        raise ShapeError(f"{name}s must be {expected}, got {tuple(slots.shape)} {slots.dtype} on {slots.device}")
    if mask is None:
        return torch.ones(per_slot, dtype=torch.bool, device=device)
    if (mask.shape, mask.dtype, mask.device) != (per_slot, torch.bool, device):
        expected = f"{per_slot} torch.bool on {device} like the {name}s"
        raise ShapeError(f"{name}_mask must be {expected}, got {tuple(mask.shape)} {mask.dtype} on {mask.device}")
    return mask
