"""How fast each step learns."""

from __future__ import annotations

import math

from nearid_search.trainer.config import TrainConfig


def learning_rate(step: int, total_steps: int, config: TrainConfig) -> float:
    """Return the rate of a step: a linear warm-up, then a cosine to 0.

    Args:
        step: counted from 0.
        total_steps: of the whole run.
        config: peak and warm-up.
    """
    warmup = min(config.warmup_steps, total_steps // 2)  # a short run must still come down
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total_steps - warmup, 1)))
