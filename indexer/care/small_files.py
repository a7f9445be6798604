"""Whether the files beside a gallery's tables are what was written: each carries its own digest, or its name is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from nearid_search.errors import GalleryCorruptError, GalleryMismatchError, WeightsError
from nearid_search.head_file import load_head
from nearid_search.indexer.calibration_file import CALIBRATION_NAME, read_calibration
from nearid_search.indexer.care.findings import Finding, Part
from nearid_search.indexer.care.imported_manifest import imported_manifest
from nearid_search.indexer.care.second_copies import copy_of
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.corrections.log import LOG_NAME, CorrectionLog
from nearid_search.indexer.location import UPLOADS_DIRNAME
from nearid_search.indexer.manifest import DRAFT_NAME, MANIFEST_NAME, Manifest, read_manifest
from nearid_search.indexer.search.rerank_record import RERANK_NAME
from nearid_search.sealed_json import read_sealed

_REMEDIES = (": restore ", ": make it anew", ": upgrade ")


def check_manifest(folder: Path) -> Iterator[Finding]:
    """Look at the manifest and its second copy."""
    copy = copy_of(folder / MANIFEST_NAME)
    copied = _refusal(copy, lambda: read_manifest(folder, name=copy.name))
    refused = _refusal(folder / MANIFEST_NAME, lambda: read_manifest(folder))
    if refused:
        if copy.exists() and not copied:
            mended = f"taken from {copy.name}"
        elif imported_manifest(folder) is not None:
            mended = "made again from the tables, which hold imported embeddings alone"
        else:
            mended = "cannot be made again: index --rebuild makes a new gallery"
        yield Finding(Part.MANIFEST, MANIFEST_NAME, refused, mended)
    elif copied:
        yield Finding(Part.MANIFEST, copy.name, copied, "copied again")


def check_log(folder: Path) -> Iterator[Finding]:
    """Look at the log of corrections and its second copy."""
    path, copy = folder / LOG_NAME, copy_of(folder / LOG_NAME)
    refused = _refusal(path, lambda: CorrectionLog(folder))
    if not refused:
        if copy.exists() and not path.read_bytes().startswith(copy.read_bytes()):
            yield Finding(Part.LOG, copy.name, "is not what the log begins with", "copied again")
        return
    known = _refusal(copy, lambda: CorrectionLog(folder, name=copy.name)) if copy.exists() else "is missing"
    mended = f"cannot be made again: {copy.name} {known}" if known else f"taken from {copy.name}"
    yield Finding(Part.LOG, LOG_NAME, refused, mended)


def check_head(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Look at the gallery's copy of its head."""
    if manifest.encoder.head is not None:
        kept = manifest.encoder.head
        refused = _refusal(folder / kept, lambda: load_head(folder / kept))
        if refused:
            yield Finding(Part.HEAD, kept, refused, "copied again from the head that ships, or from --head FOLDER")


def check_uploads(folder: Path) -> Iterator[Finding]:
    """Look at the pictures that came as bytes: each is named by its content."""
    for path in sorted((folder / UPLOADS_DIRNAME).glob("*")):
        if path.suffix not in (".tmp", ".damaged") and content_key(path.read_bytes()) != path.stem:
            name = path.relative_to(folder).as_posix()
            what = "holds something else than the picture that came"
            yield Finding(Part.UPLOADS, name, what, "set aside; the gallery keeps its embedding and thumbnail")


def check_draft(folder: Path) -> Iterator[Finding]:
    """Look at the manifest of a rebuild that was stopped."""
    refused = _refusal(folder / DRAFT_NAME, lambda: read_manifest(folder, name=DRAFT_NAME))
    if refused:
        yield Finding(Part.DRAFT, DRAFT_NAME, refused, "set aside; the stopped rebuild begins anew")


def check_measured(folder: Path) -> Iterator[Finding]:
    """Look at what was measured on the gallery: calibration and re-ranking."""
    refused = _refusal(folder / CALIBRATION_NAME, lambda: read_calibration(folder))
    if refused:
        anew = "set aside; fitted again with --calibrate, or by: nearid-search calibrate"
        yield Finding(Part.CALIBRATION, CALIBRATION_NAME, refused, anew)
    refused = _refusal(folder / RERANK_NAME, lambda: read_sealed(folder / RERANK_NAME))
    if refused:
        anew = "set aside; measured again by: nearid-search gallery tune --rerank"
        yield Finding(Part.RERANK, RERANK_NAME, refused, anew)


def _refusal(path: Path, read: Callable[[], object]) -> str:
    """Return why a file cannot be read, without its path and the remedies of whoever reads it; empty if it can."""
    try:
        read()
    except (GalleryCorruptError, GalleryMismatchError, WeightsError, ValueError) as error:
        text = str(error).removeprefix(f"{path}").lstrip(": ")
        for remedy in _REMEDIES:
            text = text.split(remedy, 1)[0]
        return text
    return ""
