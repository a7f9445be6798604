"""What is said about an answer: who else it could be, whose views agree, and what in the picture speaks for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Heat = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class BackgroundShare:
    """How much of a score is background: the query is encoded twice more, with a part of its pixels painted over.

    Attributes:
        source: what says which regions show the thing: "mask" (the user's), "saliency", or "attention" (the regions
            that together have half of the head's attention).
        area: share of the picture that the thing covers, in [0, 1].
        attention: share of the head's attention on the background, in [0, 1]; None if the encoder shows no head.
        foreground_score: score of the query with everything but the thing painted over.
        background_score: score of the query with the thing painted over; its outline can still be seen.
    """

    source: str
    area: float
    attention: float | None
    foreground_score: float
    background_score: float


@dataclass(frozen=True)
class PictureEvidence:
    """What one picture of a query says for the leading identity.

    Attributes:
        query: the picture's path or label.
        score: of the picture with the identity's best view.
        heat: (G, G) what ``score`` falls by without each region, row by row from the top left; None if nobody can say.
        background: how much of ``score`` is background; None if nobody can say.
        whole_score: where ``score`` is of pictures that were painted over, in a gallery that keeps both: that of the
            same two pictures whole. None otherwise.
        remarks: why something is None, each in a few words.
    """

    query: str
    score: float
    heat: Heat | None = None
    background: BackgroundShare | None = None
    whole_score: float | None = None
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        heat = None if self.heat is None else [list(row) for row in self.heat]
        return {**asdict(self), "heat": heat, "remarks": list(self.remarks)}


@dataclass(frozen=True)
class Explanation:
    """Why an answer is what it is. Scores are cosines in [-1, 1]; of several pictures of one thing the mean of theirs.

    Attributes:
        identity: the leading identity, whatever the verdict.
        path: its best view, as one would type it; None for an imported embedding without a path.
        score: of that view.
        other: the nearest other identity; None if there is none.
        other_path: its best view.
        other_score: of that view; None if there is none.
        views: views the leading identity has among those searched.
        views_above: how many of them score above every view of every other identity.
        pictures: what each picture of the query says; at least one.
    """

    identity: str
    path: str | None
    score: float
    other: str | None
    other_path: str | None
    other_score: float | None
    views: int
    views_above: int
    pictures: tuple[PictureEvidence, ...]

    @property
    def margin(self) -> float | None:
        """Score of the leading identity minus that of the nearest other one; None if there is none."""
        return None if self.other_score is None else self.score - self.other_score

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values under stable keys.

        What the one picture of a query says stands among them; of several under ``pictures``, one after another.
        """
        values = {**asdict(self), "margin": self.margin}
        said = [picture.as_dict() for picture in self.pictures]
        if len(said) > 1:
            return {**values, "pictures": said}
        del values["pictures"]
        return values | {name: said[0][name] for name in ("heat", "background", "whole_score", "remarks")}
