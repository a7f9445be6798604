"""What a suggestion for a correction says."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
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
        kind: "duplicate" for two identities that may be one, "mixed" for pictures of one that may show another,
            "outlier" for a picture that is like none of its identity and like no other identity either.
        identities: the ones it is about: two, or of "outlier" one; of "mixed" the first has pictures that may not be
            its.
        score: of "duplicate" what pictures of the one score with the nearest of the other, in the mean; of "mixed" what
            the nearest of the pictures scores with the other identity; of "outlier" what the picture scores with the
            nearest of its own.
        own: the same among the pictures of one identity, of "mixed" with the rest of theirs; None if no identity has
            two pictures. Of "outlier" the score below which few pictures of this gallery are.
        pictures: those of the first identity that it is about, and last the one that is nearest: of the second, or of
            "outlier" of its own.
        command: words after ``nearid-search gallery`` that would act on it.
        keep: words that say that it is right as it is, so that it is not offered again.
    """

    kind: str
    identities: tuple[str, ...]
    score: float
    own: float | None
    pictures: tuple[SuggestedPicture, ...]
    command: tuple[str, ...]
    keep: tuple[str, ...]

    @property
    def strength(self) -> float:
        """How far ``score`` is beyond ``own``: the higher, the more it looks like a mistake; without ``own`` last."""
        beyond = self.score - (_NO_OWN if self.own is None else self.own)
        return -beyond if self.kind == "outlier" else beyond

    def describe(self) -> str:
        """Return what is suspected, and why, as one line."""
        first, last = self.identities[0], self.identities[-1]
        own = "no identity has two pictures to compare with" if self.own is None else f"{self.own:.3f}"
        if self.kind == "duplicate":
            why = f"score {self.score:.3f}; pictures of one of them with each other: {own}"
            return f"{first} and {last} may be one ({why})"
        count = len(self.pictures) - 1
        what = "a picture" if count == 1 else f"{count} pictures"
        if self.kind == "outlier":
            return f"{what} of {first} is unlike the others (score {self.score:.3f}; few have less than {own})"
        why = f"score {self.score:.3f}; with the rest of {first}: {own}"
        return f"{what} of {first} may show something else, perhaps {last} ({why})"

    def commands(self, gallery: str | Path | None) -> tuple[str, str]:
        """Return what one would type to act on it, and to have it never again.

        Args:
            gallery: the gallery's folder as ``--gallery`` names it; None if the command finds it by itself.
        """
        where = [] if gallery is None else ["--gallery", str(gallery)]
        acts, keeps = ((*words, *where) for words in (self.command, self.keep))
        return shlex.join(["nearid-search", "gallery", *acts]), shlex.join(["nearid-search", "gallery", *keeps])

    def as_dict(self, gallery: str | Path | None) -> dict[str, Any]:
        """Return it with the stable keys of ``gallery suggest --json``; ``gallery`` as for ``commands``."""
        command, keep = self.commands(gallery)
        return {
            "kind": self.kind,
            "identities": list(self.identities),
            "score": self.score,
            "own": self.own,
            "pictures": [picture._asdict() for picture in self.pictures],
            "command": command,
            "keep": keep,
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
