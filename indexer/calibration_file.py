"""Where a gallery keeps its calibration, and when the gallery has changed too much for it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nearid_search.calibration import Calibration
from nearid_search.durable_file import write_file
from nearid_search.errors import GalleryCorruptError, GalleryWriteError
from nearid_search.indexer.search.index_rows import GalleryRows, Identities
from nearid_search.indexer.search.row_keys import KEY_LENGTH, find_keys
from nearid_search.sealed_json import read_sealed, seal

CALIBRATION_NAME = "calibration.json"
MOST_CHANGE = 0.1
"""Share by which images or identities may become more or fewer, and of images that may be gone or renamed."""

_SAMPLE = 200
_REMEDY = "nearid-search calibrate"


def write_calibration(gallery_dir: Path, calibration: Calibration) -> None:
    """Write a calibration so that a crash leaves the old one or the new one.

    Raises:
        GalleryWriteError: if the folder cannot be written.
    """
    path = gallery_dir / CALIBRATION_NAME
    try:
        write_file(path, seal(asdict(calibration)))
    except OSError as error:
        raise GalleryWriteError(f"cannot write {path}: {error.strerror or error}") from error


def read_calibration(gallery_dir: Path) -> Calibration | None:
    """Read a calibration, or return None if there is none.

    Raises:
        GalleryCorruptError: if it is not what was written, or another version of this library wrote it.
    """
    path = gallery_dir / CALIBRATION_NAME
    try:
        document = read_sealed(path)
        return None if document is None else Calibration.from_document(document)
    except ValueError as error:
        raise GalleryCorruptError(f"{path} {error}: make it anew with {_REMEDY}") from error


def sample_rows(rows: GalleryRows, identities: Identities) -> dict[str, str]:
    """Return the identity of the first images by key, which are a fair sample: keys are digests.

    Args:
        rows: of the gallery.
        identities: of these rows.
    """
    return {rows.key(row): identities.name(int(code)) for row, code in enumerate(identities.codes[:_SAMPLE])}


def find_calibration(gallery_dir: Path, rows: GalleryRows, identities: Identities) -> tuple[Calibration | None, str]:
    """Read a gallery's calibration and say how far it is to be believed.

    Args:
        gallery_dir: the gallery's folder.
        rows: of the gallery now.
        identities: of these rows.

    Returns:
        The calibration; None if there is none, or none that says anything about these embeddings. And in one line what
        is wrong with it, with the remedy; empty if there is none or nothing is wrong. A calibration with a reason is of
        this gallery as it was.
    """
    try:
        found = read_calibration(gallery_dir)
    except GalleryCorruptError as error:
        return None, str(error)
    if found is None:
        return None, ""
    if found.encoder != rows.encoder:
        return None, f"the calibration is of another encoder, {found.encoder}: make it anew with {_REMEDY}"
    reason = _why_outgrown(found, rows, identities)
    return found, f"{reason}: calibrate again with {_REMEDY}" if reason else ""


def _why_outgrown(calibration: Calibration, rows: GalleryRows, identities: Identities) -> str:
    for name, before, now in (
        ("identities", calibration.identities, len(identities.names)),
        ("images", calibration.images, len(rows)),
    ):
        if abs(now - before) > MOST_CHANGE * before:
            return f"the gallery was calibrated with {before:,} {name} and has {now:,} now"
    places = find_keys(rows.keys, np.asarray(list(calibration.sample), f"S{KEY_LENGTH}"))
    kept = sum(
        place >= 0 and identities.name(int(identities.codes[place])) == identity
        for place, identity in zip(places.tolist(), calibration.sample.values(), strict=True)
    )
    lost = 1 - kept / max(len(calibration.sample), 1)
    if lost > MOST_CHANGE:
        return f"about {100 * lost:.0f} % of the images that were calibrated are gone or of another identity now"
    return ""


def describe_calibration(gallery_dir: Path, rows: GalleryRows) -> dict[str, Any] | None:
    """Return what ``gallery info`` says of a calibration; None if there is none.

    Args:
        gallery_dir: the gallery's folder.
        rows: of the gallery now.
    """
    found, reason = find_calibration(gallery_dir, rows, rows.identities())
    if found is None:
        return {"current": False, "reason": reason} if reason else None
    return {
        "current": not reason,
        "reason": reason or None,
        "fpir_asked": found.fpir,
        "fpir_claimed": found.claimed,
        "threshold": found.model.threshold,
        **{name: dict(figure) for name, figure in found.figures.items()},
        "known": found.known,
        "strangers": found.strangers,
        "distractors": found.distractors,
        "identities": found.identities,
        "seed": found.seed,
        "created_at": found.created_at,
    }
