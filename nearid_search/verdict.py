"""From a score and a margin to one of three words.

The rule here is provisional: two fixed thresholds, not fitted on any gallery, and every answer says
``calibrated: false``. Frozen features score strangers high, so a provisional ``match`` means "clearly nearest", not
"probably the same".
"""

from __future__ import annotations

from nearid_search.records import Verdict

PROVISIONAL_MIN_SCORE = 0.5
PROVISIONAL_MIN_MARGIN = 0.02


def provisional_verdict(score: float | None, margin: float | None) -> Verdict:
    """Judge an answer by fixed thresholds.

    Args:
        score: best score in [-1, 1]; None if nothing was found.
        margin: lead over the runner-up identity, at least 0; None if there is none.

    Returns:
        "unknown" below the score threshold, "ambiguous" below the margin threshold, else "match".

    Example:
        >>> provisional_verdict(0.9, 0.1), provisional_verdict(0.9, 0.001), provisional_verdict(0.2, None)
        ('match', 'ambiguous', 'unknown')
    """
    if score is None or score < PROVISIONAL_MIN_SCORE:
        return "unknown"
    if margin is not None and margin < PROVISIONAL_MIN_MARGIN:
        return "ambiguous"
    return "match"
