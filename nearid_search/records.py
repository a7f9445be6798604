"""What a query answers, and what could not be read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from nearid_search.explanation import Explanation

Verdict = Literal["match", "ambiguous", "unknown"]


@dataclass(frozen=True)
class MatchedImage:
    """One gallery image that speaks for an identity.

    Attributes:
        path: the picture's path, as one would type it in the working directory; of an imported embedding the path it
            came with, None if it came without.
        score: cosine similarity with the query in [-1, 1]; higher is more alike.
        key: SHA-256 of the picture's bytes, or of the embedding with its identity and path, in hex.
    """

    path: str | None
    score: float
    key: str


@dataclass(frozen=True)
class IdentityMatch:
    """One identity in an answer.

    Attributes:
        rank: 1-based place in the answer.
        identity: its name.
        score: the score of its best view.
        support: how many of its views score above every view of all lower-ranked identities.
        images: its best views, best first; at least one.
    """

    rank: int
    identity: str
    score: float
    support: int
    images: tuple[MatchedImage, ...]


@dataclass(frozen=True)
class Reranking:
    """What a second look did to an answer.

    Attributes:
        name: of the rung.
        changed: whether it changed the order of the identities.
        milliseconds: it took.
        remarks: why it looked at less than it should have, each in a few words; empty if it did not.
    """

    name: str
    changed: bool
    milliseconds: float
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {**asdict(self), "remarks": list(self.remarks)}

    def in_words(self) -> str:
        """Say it in a line."""
        done = "changed the order" if self.changed else "changed nothing"
        return f"re-ranked by {self.name}: {'; '.join((done, *self.remarks))}, {self.milliseconds:.0f} ms"


@dataclass(frozen=True)
class QueryAnswer:
    """What the gallery says about one query: a picture, several pictures of one thing, or an embedding.

    Attributes:
        query: the query's path or label.
        verdict: "match", "ambiguous" or "unknown".
        identity: the leading identity; None when the verdict is "unknown".
        confidence: probability in [0, 1] that the leading identity is right, if half of what is asked about is in the
            gallery; None without a calibration that still holds, and when there is no match.
        margin: score of the leading identity minus that of the best other one; None when there is no other. It is below
            0 if re-ranking put an identity first that does not score best.
        calibrated: whether verdict and confidence were fitted on this gallery as it is.
        matches: ranked identities, best first; empty when the gallery (or the filter) holds no image.
        rerank: what re-ranking did; None if there was none.
        explanation: why, if that was asked.
        pictures: paths of the pictures that were asked about; empty for embeddings and for pixels.
    """

    query: str
    verdict: Verdict
    identity: str | None
    confidence: float | None
    margin: float | None
    calibrated: bool
    matches: tuple[IdentityMatch, ...]
    rerank: Reranking | None = None
    explanation: Explanation | None = None
    pictures: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the answer with the stable keys of ``query --json``; ``rerank`` and ``explanation`` only if there."""
        return {
            "query": self.query,
            "verdict": self.verdict,
            "identity": self.identity,
            "confidence": self.confidence,
            "margin": self.margin,
            "calibrated": self.calibrated,
            "matches": [
                {
                    "rank": match.rank,
                    "identity": match.identity,
                    "score": match.score,
                    "support": match.support,
                    "images": [{"path": image.path, "score": image.score} for image in match.images],
                }
                for match in self.matches
            ],
            **({} if self.rerank is None else {"rerank": self.rerank.as_dict()}),
            **({} if self.explanation is None else {"explanation": self.explanation.as_dict()}),
        }


@dataclass(frozen=True)
class ClaimCheck:
    """What the gallery says of a picture that is said to show an identity.

    Attributes:
        claimed: the identity.
        score: cosine similarity with its best view, in [-1, 1].
        margin: that score less the best score of any other identity; below 0 if another one is more alike; None if
            there is no other.
        answer: to the picture as to any query.
    """

    claimed: str
    score: float
    margin: float | None
    answer: QueryAnswer

    @property
    def holds(self) -> bool:
        """Whether the answer is a match of the claimed identity."""
        return self.answer.verdict == "match" and self.answer.identity == self.claimed

    def as_dict(self) -> dict[str, Any]:
        """Return the check in one row: what was claimed, and what the picture was answered with."""
        return {
            "query": self.answer.query,
            "claimed": self.claimed,
            "holds": self.holds,
            "score": self.score,
            "margin": self.margin,
            "verdict": self.answer.verdict,
            "identity": self.answer.identity,
            "confidence": self.answer.confidence,
        }


@dataclass(frozen=True)
class Failure:
    """A file that could not be indexed, or a query that could not be read.

    Attributes:
        path: the file.
        error: the reason, in a few words.
    """

    path: str
    error: str
