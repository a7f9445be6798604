"""What a run reports at its end: of indexing, of embeddings and tables that come in or go out, and of doubts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nearid_search.records import Failure


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
        corrections: corrections by people that are in force on the gallery.
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
    corrections: int = 0

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
            "corrections": self.corrections,
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
