"""The kinds of process that are killed: what each is told to do, what it acknowledges, and how its work goes on."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from killing.gallery_state import log_of
from killing.process import Watched
from killing.shop import Shop, Shops, command_line, succeed
from killing.small_batches import BATCH_SIZE, READ, WRITE_ROWS
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import DRAFT_NAME, MANIFEST_NAME, read_manifest
from nearid_search.indexer.rows import FileRecord

MIGRATED = "dinov2-small:layers=4"
"""The backbone that galleries migrate to."""

_PROGRAM = str(Path(__file__).with_name("small_batches.py"))
# One batch is being written while the next is filled; the encoder's own batch may lift either above its size.
MOST_LOST = 2 * (WRITE_ROWS + BATCH_SIZE - 1) + BATCH_SIZE


@dataclass
class Told:
    """What a process has acknowledged until it was killed, and what that says.

    Attributes:
        done: how much: pictures read, or corrections made.
        lost: how much of it is not on disk.
        faults: what is not as it was acknowledged.
    """

    done: int = 0
    lost: int = 0
    faults: list[str] = field(default_factory=list)


class Case(Protocol):
    """One kind of process."""

    name: str
    """What it is called in results."""

    not_compared: frozenset[str] = frozenset()
    """Parts of the state that depend on the time a process was given."""

    @abstractmethod
    def start(self, shops: Shops) -> Shop:
        """Return the state that it starts from."""

    @abstractmethod
    def command(self, shop: Shop) -> Sequence[str]:
        """Return what follows the interpreter."""

    @abstractmethod
    def drive(self, run: Watched, shop: Shop) -> Told:
        """Wait until it ends, or have it work until it is killed."""

    @abstractmethod
    def look(self, told: Told, shop: Shop, shops: Shops) -> None:
        """Compare what it has acknowledged with what it left; nothing is written."""

    @abstractmethod
    def go_on(self, told: Told, shop: Shop, shops: Shops) -> None:
        """Do what is left to do."""


class Indexing(Case):
    """``nearid-search index``, from nothing, again after changes, or with ``--rebuild``.

    Args:
        name: what it is called in results.
        options: of the command.
        fresh: whether there is no gallery yet.
    """

    def __init__(self, name: str, *options: str, fresh: bool = False) -> None:
        self.name = name
        self._options, self._fresh = options, fresh

    def start(self, shops: Shops) -> Shop:
        """Return a new catalogue, or one that has changed."""
        return shops.new if self._fresh else shops.changed

    def command(self, shop: Shop) -> Sequence[str]:
        """Return the command, with batches of few pictures."""
        return [_PROGRAM, *shop.index(*self._options, "--batch-size", str(BATCH_SIZE), "--decoders", "1")]

    def drive(self, run: Watched, shop: Shop) -> Told:  # noqa: ARG002  (as of ``Case``)
        """Wait; return how many pictures it has read."""
        run.finish()
        return Told(_read(run))

    def look(self, told: Told, shop: Shop, shops: Shops) -> None:
        """Count the pictures that have been read and are not in the ledger."""
        name = MANIFEST_NAME
        if "--rebuild" in self._options and (shop.gallery / DRAFT_NAME).exists():
            name = DRAFT_NAME
        kept = _ledger(shop, name)
        if not self._fresh and _tables(shop, name) == _tables(self.start(shops), MANIFEST_NAME):
            kept -= _ledger(self.start(shops), MANIFEST_NAME)
        told.lost = max(0, told.done - len(kept))
        if told.lost > MOST_LOST:
            told.faults.append(f"{told.lost} of {told.done} pictures that were read are lost")

    def go_on(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """Give the same command again."""
        succeed(shop.index(*self._options))


def _read(run: Watched) -> int:
    return max((int(line.removeprefix(READ)) for line in run.stderr if line.startswith(READ)), default=0)


def _ledger(shop: Shop, manifest_name: str) -> set[FileRecord]:
    if read_manifest(shop.gallery, name=manifest_name) is None:
        return set()
    return set(Gallery.open(shop.gallery, manifest_name=manifest_name).store.ledger())


def _tables(shop: Shop, manifest_name: str) -> str | None:
    manifest = read_manifest(shop.gallery, name=manifest_name)
    return None if manifest is None else manifest.tables


class Merging(Case):
    """``nearid-search gallery merge``."""

    name = "merge"
    _words = ("desk-lamp-brass", "desk-lamp-green", "--into", "desk-lamp-green")

    def start(self, shops: Shops) -> Shop:
        """Return an indexed catalogue."""
        return shops.indexed

    def command(self, shop: Shop) -> Sequence[str]:
        """Return the command."""
        return ["-m", "nearid_search", *shop.correct(self.name, *self._words)]

    def drive(self, run: Watched, shop: Shop) -> Told:  # noqa: ARG002  (as of ``Case``)
        """Wait; it has acknowledged the merge once it has printed its entry."""
        _, printed = run.finish()
        return Told(int('"entry": 1' in printed))

    def look(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """See the identities as they were before or as they are after."""
        merged = "desk-lamp-brass" not in Gallery.open(shop.gallery).identities()
        if told.done and not (merged and log_of(shop.gallery)):
            told.faults.append("the merge was acknowledged and is not there")
        if merged and not log_of(shop.gallery):
            told.faults.append("the tables are merged and the log does not say so")

    def go_on(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """Give the same command again; it is refused if the merge had been made."""
        made = bool(log_of(shop.gallery))
        code, _, complaint = command_line(shop.correct(self.name, *self._words))
        refused = code == 1 and complaint.startswith("error: there is no identity 'desk-lamp-brass'")
        if not (refused if made else code == 0):
            told.faults.append(f"merging again gave {code}: {complaint}")


class Tuning(Case):
    """``nearid-search gallery tune``."""

    name = "tune"

    def start(self, shops: Shops) -> Shop:
        """Return an indexed catalogue."""
        return shops.indexed

    def command(self, shop: Shop) -> Sequence[str]:
        """Return the command."""
        return ["-m", "nearid_search", *self._arguments(shop)]

    def drive(self, run: Watched, shop: Shop) -> Told:  # noqa: ARG002  (as of ``Case``)
        """Wait; it has acknowledged its figures once it has printed them."""
        _, printed = run.finish()
        return Told(int('"tuning"' in printed))

    def look(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """See that acknowledged figures are stored."""
        described = Gallery.open(shop.gallery).info()["index"]
        if described["state"] != "fresh" or (told.done and described["tuning"] is None):
            told.faults.append(f"tuning was acknowledged {told.done} times, and the index is {described}")

    def go_on(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """Give the same command again."""
        succeed(self._arguments(shop))

    def _arguments(self, shop: Shop) -> list[str]:
        return ["gallery", "tune", "--gallery", str(shop.gallery), "--json"]


class Migrating(Case):
    """``nearid-search gallery migrate`` to another encoder, of a gallery with corrections."""

    name = "migrate"
    _refusal = re.compile(r"error: \S+ was made by \S+ already")

    def start(self, shops: Shops) -> Shop:
        """Return an indexed catalogue that was corrected."""
        return shops.corrected

    def command(self, shop: Shop) -> Sequence[str]:
        """Return the command, with batches of few pictures."""
        return [_PROGRAM, *self._arguments(shop)]

    def drive(self, run: Watched, shop: Shop) -> Told:  # noqa: ARG002  (as of ``Case``)
        """Wait; return how many pictures it has encoded."""
        run.finish()
        return Told(_read(run))

    def look(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """Count the pictures that have been encoded and are not in the new tables."""
        if _made_by(shop) == MIGRATED:
            return
        kept = 0
        if (shop.gallery / DRAFT_NAME).exists():
            tables = Gallery.open(shop.gallery, manifest_name=DRAFT_NAME).store.tables
            kept = sum(int(tables[name].count_rows()) for name in ("images", "hidden"))
        told.lost = max(0, told.done - kept)
        if told.lost > WRITE_ROWS:
            told.faults.append(f"{told.lost} of {told.done} pictures that were encoded are lost")

    def go_on(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """Give the same command again; it is refused if the new encoder was in force."""
        made = _made_by(shop) == MIGRATED
        code, _, complaint = command_line(self._arguments(shop))
        refused = code == 1 and self._refusal.match(complaint) is not None
        if not (refused if made else code == 0):
            told.faults.append(f"migrating again gave {code}: {complaint}")

    def _arguments(self, shop: Shop) -> list[str]:
        named = ["--backbone", MIGRATED, "--head", "none", "--gallery", str(shop.gallery)]
        return ["gallery", self.name, *named, "--json"]


def _made_by(shop: Shop) -> str | None:
    return Gallery.open(shop.gallery).manifest.encoder.backbone
