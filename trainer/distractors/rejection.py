"""Why something was not made, in words that can be counted."""

from __future__ import annotations

from typing import NamedTuple


class Rejection(NamedTuple):
    """What stands in the place of a mask or a picture that is no good.

    Attributes:
        reason: without figures or names, so that equal reasons can be counted.
    """

    reason: str
