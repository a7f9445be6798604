"""What a suggestion for a correction says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

_NO_OWN = 5.0  # above any score of two pictures, so that these come last


class SuggestedPicture(NamedTuple):
    """A picture of a suggestion: its identity, its path as one would type it (None: imported without), its key."""

    identity: str
    path: str | None
    key: str


@dataclass(frozen=True)
class Suggestion:
    """Something to look at.

    Attributes:
        kind: "duplicate" for two identities that may be one, "mixed" for pictures of one that may show another.
        identities: the two it is about; of "mixed" the first has pictures that may not be its.
        score: of "duplicate" what pictures of the one score with the nearest of the other, in the mean; of "mixed" what
            the nearest of the pictures scores with the other identity.
        own: the same among the pictures of one identity, of "mixed" with the rest of theirs; None if no identity has
            two pictures.
        pictures: those of the first identity that it is about, and last the one of the second that is nearest.
        command: words after ``nearid-search gallery`` that would act on it.
        keep: words that say that it is right as it is, so that it is not offered again.
    """

    kind: str
    identities: tuple[str, str]
    score: float
    own: float | None
    pictures: tuple[SuggestedPicture, ...]
    command: tuple[str, ...]
    keep: tuple[str, ...]

    @property
    def strength(self) -> float:
        """``score`` less ``own``: the higher, the more it looks like a mistake; below all others without ``own``."""
        return self.score - (_NO_OWN if self.own is None else self.own)

    def describe(self) -> str:
        """Return what is suspected, and why, as one line."""
        first, second = self.identities
        own = "no identity has two pictures to compare with" if self.own is None else f"{self.own:.3f}"
        if self.kind == "duplicate":
            why = f"score {self.score:.3f}; pictures of one of them with each other: {own}"
            return f"{first} and {second} may be one ({why})"
        count = len(self.pictures) - 1
        what = "a picture" if count == 1 else f"{count} pictures"
        why = f"score {self.score:.3f}; with the rest of {first}: {own}"
        return f"{what} of {first} may show something else, perhaps {second} ({why})"

    def as_dict(self) -> dict[str, Any]:
        """Return it with the stable keys of ``gallery suggest --json``, but for the two commands."""
        return {
            "kind": self.kind,
            "identities": list(self.identities),
            "score": self.score,
            "own": self.own,
            "pictures": [picture._asdict() for picture in self.pictures],
        }


@dataclass(frozen=True)
class Suggestions:
    """What was found.

    Attributes:
        found: the suggestions, most useful first.
        views: stored views looked at.
        images: images in the gallery.
    """

    found: tuple[Suggestion, ...]
    views: int
    images: int
