"""What a run reports at its end: of indexing, and of embeddings and tables that come in or go out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nearid_search.records import Failure
from nearid_search.suggestion import Suggestion


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
        corrections: corrections by people that are in force on the gallery.
        doubts: what is doubtful about these, the most first.
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
    corrections: int = 0
    doubts: tuple[Suggestion, ...] = ()

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
            "doubts": [doubt.as_dict(self.gallery) for doubt in self.doubts],
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
class PublishReport:
    """What copying a gallery into a vector engine did.

    Attributes:
        gallery: folder of the gallery.
        target: where the engine is.
        collection: its name there.
        encoder: fingerprint of what made the embeddings.
        dim: width of an embedding.
        images: rows of the gallery, all of which the collection holds now.
        written: rows that were sent.
        unchanged: rows that were there already as they should be.
        removed: rows taken out of the collection because the gallery does not have them.
        seconds: wall-clock time.
    """

    gallery: str
    target: str
    collection: str
    encoder: str
    dim: int
    images: int
    written: int
    unchanged: int
    removed: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``gallery publish --json``."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, kw_only=True)
class TableExportReport:
    """What exporting images, identities, corrections or a dataset did.

    Attributes:
        gallery: folder of the gallery.
        file: the file written, or the dataset's folder.
        what: "images", "identities", "corrections" or "fiftyone".
        format: "csv", "jsonl", "parquet" or "fiftyone".
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
