"""The training loop: cached tokens in, the best head by validation out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nearid_search.errors import ShapeError, TrainingError
from nearid_search.head import MapHead
from nearid_search.similarity import Embeddings
from nearid_search.trainer.checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.dataset_rows import SampleRows
from nearid_search.trainer.embed_rows import frozen_embeddings, head_embeddings
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.hard_negatives import nearest_identities
from nearid_search.trainer.heap import keep_freed_memory
from nearid_search.trainer.losses import LossTerms, info_nce_loss, nearid_loss, supcon_loss
from nearid_search.trainer.run_log import RunLog
from nearid_search.trainer.sampler import NONE, Batch, BatchSampler
from nearid_search.trainer.schedule import learning_rate
from nearid_search.trainer.validation import ValidationScores, validate

LOSSES: Mapping[str, Callable[..., LossTerms]] = {
    "nearid": nearid_loss,
    "info_nce": info_nce_loss,
    "supcon": supcon_loss,
}


@dataclass(frozen=True)
class StepReport:
    """One optimiser step.

    Attributes:
        step: counted from 1.
        total: steps of the whole run.
        loss: the objective.
        scores: of the validation after this step; None if there was none.
    """

    step: int
    total: int
    loss: float
    scores: ValidationScores | None


@dataclass(frozen=True)
class FitResult:
    """What a training loop ended with.

    Attributes:
        steps: optimiser steps of the whole run, those before a resume included.
        best_step: step whose head was kept.
        best: its validation scores.
        frozen: those of the frozen features.
        alarms: what collapsed on the way, one line each.
    """

    steps: int
    best_step: int
    best: ValidationScores
    frozen: ValidationScores
    alarms: tuple[str, ...]


SaveBest = Callable[[MapHead, ValidationScores, int], None]


class HeadFit:
    """Fits one head.

    Args:
        head: where to start from; trained in place.
        store: tokens of every image.
        train: samples to learn from.
        val: samples to choose the best head by.
        config: the recipe.
        device: where the head runs, "cpu" or "cuda:N".
        out: folder for checkpoint and log.
        save_best: called with every head that is better than those before.
        variants: rows among which training draws, by row of an image; validation takes the images themselves.
        origin: hashes by name of what the tokens were made of; a checkpoint of another origin is refused.

    Raises:
        TrainingError: if there are not two identities with two views to learn from, or none to validate on.
    """

    def __init__(
        self,
        head: MapHead,
        store: FeatureStore,
        train: Sequence[SampleRows],
        val: Sequence[SampleRows],
        config: TrainConfig,
        *,
        device: str,
        out: Path,
        save_best: SaveBest,
        variants: Mapping[int, NDArray[np.int64]] | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> None:
        # Features and folders may move; everything else would make another run.
        settings = {name: value for name, value in config.as_dict().items() if name not in _PLACES}
        self._recipe: dict[str, Any] = settings | dict(origin or {})
        self._head, self._store, self._config, self._device = head.to(device), store, config, device
        self._out, self._save_best = out, save_best
        self._sampler = BatchSampler(
            train,
            batch_size=config.batch_size,
            max_positives=config.max_positives,
            max_distractors=config.max_distractors,
            seed=config.seed,
            every_view=config.every_view,
            variants=variants,
        )
        _require_enough(self._sampler.num_identities, val)
        self._val, self._val_rows = _renumbered(val)
        self._optimiser = torch.optim.AdamW(
            self._head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._device_type = device.partition(":")[0]
        automatic = "bfloat16" if self._device_type == "cuda" else "float32"
        self._autocast = getattr(torch, automatic if config.precision == "auto" else config.precision)
        # Gradients of half precision vanish below 6e-8 unless the loss is scaled up first.
        self._scaler = torch.amp.GradScaler(self._device_type, enabled=self._autocast == torch.float16)
        self._neighbours: NDArray[np.int64] | None = None
        self.total_steps = config.epochs * self._sampler.steps_per_epoch

    def run(self, on_step: Callable[[StepReport], None] | None = None) -> FitResult:
        """Train to the end, from the checkpoint if there is one.

        Args:
            on_step: called after every step.

        Raises:
            TrainingError: if the loss is no number, or the checkpoint cannot be written or does not fit.
        """
        keep_freed_memory()
        frozen = validate(self._val, frozen_embeddings(self._store, self._val_rows))
        state = self._resume()
        self._mine(state["step"])
        with RunLog(self._out, step=state["step"], tensorboard=self._config.tensorboard) as log:
            for step in range(state["step"], self.total_steps):
                terms = self.step(step)
                entry: dict[str, Any] = dict(terms)
                scores = None
                if (step + 1) % self._config.validate_every == 0 or step + 1 == self.total_steps:
                    scores = validate(self._val, self._embed(self._val_rows, step + 1))
                    self._mine(step + 1)
                    entry |= scores.as_dict() | ({"alarm": scores.alarm} if scores.alarm else {})
                    self._keep_if_better(state, step + 1, scores)
                log.add(step + 1, entry)
                if scores is not None:
                    state["scaler"] = self._scaler.state_dict()
                    save_checkpoint(self._out / CHECKPOINT_NAME, self._head, self._optimiser, state)
                if on_step is not None:
                    on_step(StepReport(step + 1, self.total_steps, terms["loss"], scores))
        best = ValidationScores.from_dict(state["best"])
        return FitResult(self.total_steps, state["best_step"], best, frozen, tuple(state["alarms"]))

    def step(self, step: int) -> dict[str, float]:
        """Do one optimiser step; the same step always gives the same figures.

        Args:
            step: counted from 0.

        Returns:
            Loss, its terms, the norm of the gradient before clipping, and the learning rate.

        Raises:
            TrainingError: if a figure is no number.
        """
        rate = learning_rate(step, self.total_steps, self._config)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._head.train()
        terms = self._loss(step)
        loss = float(terms.total.detach())
        self._require_number("loss", loss, step + 1)
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(terms.total).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        norm = float(torch.nn.utils.clip_grad_norm_(self._head.parameters(), self._config.clip_norm))
        # With a scale an infinite gradient is ordinary: the step is passed over and the scale halved.
        if not self._scaler.is_enabled():
            self._require_number("norm of the gradient", norm, step + 1)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return {
            "loss": loss,
            "discrimination": float(terms.discrimination.detach()),
            "ranking": float(terms.ranking.detach()),
            "gradient_norm": norm,
            "learning_rate": rate,
        }

    def _require_number(self, what: str, value: float, step: int) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"the {what} is {value} at step {step}: lower learning_rate (now {self._config.learning_rate:g}); "
                "the best head so far is kept"
            )

    def _loss(self, step: int) -> LossTerms:
        """Embed every image of a step once, and average the loss over its batches."""
        batches = self._sampler.batches(step, self._neighbours, hard_share=self._config.hard_negatives)
        slots = [slot.ravel() for batch in batches for slot in (batch.anchors, batch.positives, batch.distractors)]
        rows = np.unique(np.concatenate(slots))
        rows = rows[rows != NONE]
        share, key = self._config.keep_tokens, (self._config.seed, step)
        tokens = [torch.from_numpy(scale).to(self._device) for scale in self._store.tokens(rows, share=share, key=key)]
        with torch.autocast(self._device_type, self._autocast, enabled=self._autocast != torch.float32):
            embeddings = self._head(tokens)
        terms = [self._loss_of(batch, rows, embeddings) for batch in batches]
        means = (torch.stack([getattr(term, field.name) for term in terms]).mean() for field in fields(LossTerms))
        return LossTerms(*means)

    def _loss_of(self, batch: Batch, rows: NDArray[np.int64], embeddings: torch.Tensor) -> LossTerms:
        """Arrange embeddings, of which each belongs to one of the rising ``rows``, in the loss's slots."""
        anchors, positives, distractors = (
            # An empty slot gets any embedding; its mask keeps it out.
            embeddings[torch.from_numpy(np.searchsorted(rows, slot)).to(self._device)]
            for slot in (batch.anchors, batch.positives, batch.distractors)
        )
        return LOSSES[self._config.loss.name](
            anchors,
            positives,
            distractors,
            positive_mask=torch.from_numpy(batch.positives != NONE).to(self._device),
            distractor_mask=torch.from_numpy(batch.distractors != NONE).to(self._device),
            alpha=self._config.loss.alpha,
            temperature=self._config.loss.temperature,
            every_distractor=self._config.loss.every_distractor,
        )

    def _embed(self, rows: NDArray[np.int64], step: int) -> Embeddings:
        try:
            return head_embeddings(self._head, self._store, rows, device=self._device)
        except ShapeError as error:
            raise TrainingError(
                f"the head gives embeddings that are no numbers at step {step} ({error}): lower learning_rate "
                f"(now {self._config.learning_rate:g}); the best head so far is kept"
            ) from error

    def _mine(self, step: int) -> None:
        """Look up which identities the head confuses now; decided by its weights, so a resumed run finds the same."""
        if self._config.hard_negatives > 0:
            views = [self._embed(rows, step) for rows in self._sampler.view_rows()]
            self._neighbours = nearest_identities(views, k=self._config.batch_size)

    def _keep_if_better(self, state: dict[str, Any], step: int, scores: ValidationScores) -> None:
        state["step"] = step
        if scores.alarm:
            state["alarms"].append(f"step {step}: {scores.alarm}")
        if state["best"] is None or scores.rank > ValidationScores.from_dict(state["best"]).rank:
            state |= {"best": scores.as_dict(), "best_step": step}
            self._save_best(self._head, scores, step)

    def _resume(self) -> dict[str, Any]:
        path = self._out / CHECKPOINT_NAME
        if not path.exists():
            return {"step": 0, "best": None, "best_step": 0, "alarms": [], "recipe": self._recipe}
        state = load_checkpoint(path, self._head, self._optimiser, recipe=self._recipe)
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(state["scaler"])
        return state


_PLACES = ("dataset", "out", "features", "device")


def _require_enough(num_train: int, val: Sequence[SampleRows]) -> None:
    if num_train < 2:
        raise TrainingError(
            f"{num_train} identities of the train split have two readable views or more: at least 2 are needed"
        )
    if not any(len(sample.views) > 1 for sample in val):
        raise TrainingError("no identity of the val split has two readable views: the best head cannot be told")


def _renumbered(samples: Sequence[SampleRows]) -> tuple[list[SampleRows], NDArray[np.int64]]:
    """Return samples whose rows count from 0 and the store's row of each."""
    rows = sorted({row for sample in samples for row in sample.rows()})
    place = {row: number for number, row in enumerate(rows)}
    return [sample.renumbered(place) for sample in samples], np.array(rows, np.int64)
