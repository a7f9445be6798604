"""The small values that cross package borders: what a query answers and what an indexing run reports."""

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
    """What the gallery says about one query image.

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

    def as_dict(self) -> dict[str, Any]:
        """Return the answer with the stable keys of ``query --json``; the last two only where there is one."""
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
class Failure:
    """A file that could not be indexed, or a query that could not be read.

    Attributes:
        path: the file.
        error: the reason, in a few words.
    """

    path: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Something about an enrolled view that a person should look at.

    Attributes:
        kind: "outlier": it is far less like the other views of its identity than views of this gallery are; "close": it
            is as like a view of another identity as two views of one identity usually are.
        identity: of the view.
        path: of the view's picture; None if it was imported without one.
        other_identity: of the other picture; of an outlier its own.
        other_path: the view of that identity that it is most like.
        score: of the two.
    """

    kind: str
    identity: str
    path: str | None
    other_identity: str
    other_path: str | None
    score: float

    def describe(self) -> str:
        """Return the doubt in one line."""
        view, other = self.path or self.identity, self.other_path or self.other_identity
        if self.kind == "outlier":
            return f"outlier: {view} is unlike the other views of {self.identity}: {self.score:.3f} with {other}"
        return (
            f"close: {view} of {self.identity} and {other} of {self.other_identity} may be one thing: {self.score:.3f}"
        )


@dataclass(frozen=True, kw_only=True)
class EnrolmentReport:
    """What looking for mistakes of enrolment found.

    Attributes:
        checked: views looked at.
        of: views there were to look at.
        doubts: what was found, the worst of each kind first.
        reason: why nothing could be said; empty if it could.
    """

    checked: int
    of: int
    doubts: tuple[Doubt, ...]
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``gallery check --json``."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """What an indexing run did.

    Attributes:
        gallery: folder of the gallery.
        added: images new in the gallery.
        updated: images whose content, place, identity or metadata changed.
        unchanged: files of the catalogue that needed nothing.
        removed: images taken out because their files are gone.
        moved: files found under a new path; part of ``updated``.
        duplicates: files of the catalogue whose bytes are another file's too; one image stands for all of them.
        images: images in the gallery now.
        identities: identities in the gallery now.
        seconds: wall-clock time of the run.
        images_per_second: images encoded in a second of the encoding phase; 0 when none was.
        failures: files of this catalogue that cannot be indexed.
        search: how the gallery is searched now and why, in one line.
        new_keys: keys of the images that are new; not part of ``as_dict``.
        enrolment: what is doubtful about these; None if none was added.
    """

    gallery: str
    added: int
    updated: int
    unchanged: int
    removed: int
    moved: int
    duplicates: int
    images: int
    identities: int
    seconds: float
    images_per_second: float
    failures: tuple[Failure, ...]
    search: str = ""
    new_keys: frozenset[str] = frozenset()
    enrolment: EnrolmentReport | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``index --json``."""
        return {
            "gallery": self.gallery,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "moved": self.moved,
            "duplicates": self.duplicates,
            "failed": len(self.failures),
            "images": self.images,
            "identities": self.identities,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 2),
            "search": self.search,
            "doubts": [] if self.enrolment is None else [asdict(doubt) for doubt in self.enrolment.doubts],
            "failures": [{"path": failure.path, "error": failure.error} for failure in self.failures],
        }


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What importing a file of embeddings did.

    Attributes:
        gallery: folder of the gallery.
        source: the file.
        encoder: fingerprint of what made the gallery's embeddings.
        dim: width of an embedding.
        added: rows new in the gallery.
        updated: rows that were in the gallery already and took over another identity, path or metadata.
        unchanged: rows that were there already and stay as they were.
        duplicates: rows that stand in the file more than once; one stands for all of them.
        images: rows in the gallery now.
        identities: identities in the gallery now.
        seconds: wall-clock time.
        search: how the gallery is searched now and why, in one line.
    """

    gallery: str
    source: str
    encoder: str
    dim: int
    added: int
    updated: int
    unchanged: int
    duplicates: int
    images: int
    identities: int
    seconds: float
    search: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``gallery import --json``."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What exporting a gallery's embeddings did.

    Attributes:
        gallery: folder of the gallery.
        file: the file written.
        encoder: fingerprint of what made the embeddings.
        dim: width of an embedding.
        exported: rows written.
        seconds: wall-clock time.
    """

    gallery: str
    file: str
    encoder: str
    dim: int
    exported: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``gallery export --json``."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, kw_only=True)
class TableExportReport:
    """What exporting images, identities or corrections did.

    Attributes:
        gallery: folder of the gallery.
        file: the file written.
        what: "images", "identities" or "corrections".
        format: "csv", "jsonl" or "parquet".
        exported: rows written.
        seconds: wall-clock time.
    """

    gallery: str
    file: str
    what: str
    format: str
    exported: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``gallery export --what ... --json``."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}
