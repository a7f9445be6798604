"""Where a correction is made: the gallery locked and up to date, its log, and what it holds."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from nearid_search.errors import CorrectionError
from nearid_search.indexer.corrections.follow import finish_pending, follow_corrections, table_versions
from nearid_search.indexer.corrections.log import CorrectionLog, Entry
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.corrections.targets import Targets
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.write_errors import as_write_errors

WAIT_SECONDS = 30.0
"""How long a correction waits for another writer: corrections queue, an indexing run takes longer and is named."""


@dataclass(frozen=True)
class Correction:
    """A correction that was made.

    Attributes:
        gallery: folder of the gallery.
        entry: what the log says of it.
        images: how many images have another identity now, came into the answers or left them.
        version: of the images table now.
    """

    gallery: str
    entry: Entry
    images: int
    version: int

    def as_dict(self) -> dict[str, Any]:
        """Return it with the stable keys of ``--json``."""
        entry = self.entry
        return {
            "gallery": self.gallery,
            "entry": entry.number,
            "action": entry.action,
            "what": entry.what,
            "images": self.images,
            "when": entry.when,
            "who": entry.who,
            "why": entry.why,
            "version": self.version,
        }


@dataclass(frozen=True)
class Author:
    """Who corrects and why.

    Attributes:
        by: a name; None for the user of this process.
        because: the reason, if it is to be kept.

    Raises:
        CorrectionError: if the name is empty, or this process has no user.
    """

    by: str | None = None
    because: str | None = None

    def __post_init__(self) -> None:
        if self.by is not None and not self.by.strip():
            raise CorrectionError("who corrects is empty: give a name (--by)")

    @cached_property
    def name(self) -> str:
        """The name that the log gets."""
        if self.by is not None:
            return self.by
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError) as error:
            raise CorrectionError(f"this process has no user ({error}): say who corrects (--by)") from error


class Desk:
    """A gallery that is being corrected.

    Args:
        gallery: the gallery; its writer lock is held.
        author: who corrects.
    """

    def __init__(self, gallery: Gallery, author: Author) -> None:
        self.gallery = gallery
        self.author = author
        self.log = CorrectionLog(gallery.folder)

    @cached_property
    def corrections(self) -> Corrections:
        """What holds until now."""
        return Corrections.of(self.log.standing)

    @cached_property
    def targets(self) -> Targets:
        """What there is to correct."""
        return Targets(self.gallery)

    def make(self, action: str, what: str, **content: Any) -> Correction:  # noqa: ANN401  (fields of Entry)
        """Write an entry and make the tables follow it.

        Args:
            action: the command.
            what: what it does, in one line.
            content: further fields of ``Entry``.
        """
        entry = Entry(
            number=len(self.log.entries) + 1,
            when=datetime.now(UTC).isoformat(timespec="milliseconds"),
            who=self.author.name,
            why=self.author.because,
            action=action,
            what=what,
            versions=table_versions(self.gallery.store),
            tables=self.gallery.manifest.tables,
            **content,
        )
        self.log.append(entry)
        then = f"; correction {entry.number} is in the log, and the next command that can write carries it out"
        with as_write_errors(self.gallery.folder, then=then):
            images = follow_corrections(self.gallery, self.log)
        return Correction(str(self.gallery.folder), entry, images, self.gallery.store.version)


@contextmanager
def at_desk(gallery: Gallery, author: Author) -> Iterator[Desk]:
    """Lock a gallery for corrections, waiting for others, and bring it up to date.

    Args:
        gallery: the gallery; it is reopened, so that it shows what others have written.
        author: who corrects.

    Yields:
        The desk.

    Raises:
        CorrectionError: if it is a gallery as it was.
        GalleryCorruptError: if log or tables are damaged.
        GalleryLockedError: if another process writes for longer than ``WAIT_SECONDS``.
        GalleryWriteError: if the folder cannot be written.
    """
    if gallery.is_past:
        raise CorrectionError("a gallery as it was cannot be corrected: open it as it is, or restore that version")
    with writer_lock(gallery.folder, wait=WAIT_SECONDS):
        gallery.reopen()
        finish_pending(gallery)
        gallery.store.ensure_correctable()
        yield Desk(gallery, author)
