"""The log of corrections: who changed which identity, when and why; lines are only ever added.

``corrections.jsonl`` stands beside the manifest, so it outlives tables that are made anew. Every line holds its SHA-256
and that of the line before, so an altered, lost or inserted line is noticed. A correction is made when its line is
on disk; a second line says that the tables follow it. Where a crash came between the two, the next command that writes
makes the tables follow. Half a line at the end was never acknowledged and does not count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nearid_search.errors import GalleryCorruptError
from nearid_search.indexer.care.second_copies import copy_of
from nearid_search.indexer.rows import FileRecord
from nearid_search.object_storage.lease import append_object
from nearid_search.object_storage.path import ObjectPath
from nearid_search.sealed_json import digest

LOG_NAME = "corrections.jsonl"
_REMEDY = "restore it with nearid-search gallery repair, or from a copy"


@dataclass(frozen=True)
class Pin:
    """One picture whose identity is said by hand.

    Attributes:
        key: of the picture.
        path: its stored path, for people.
        before: its identity until then; None if it was in no answer.
        after: its identity from then on; None takes it out of every answer.
        said: what its catalogue called the thing then; None for nothing. The pin holds as long as the catalogue says
            the same.
    """

    key: str
    path: str | None
    before: str | None
    after: str | None
    said: str | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One correction.

    Attributes:
        number: 1 for the first.
        when: ISO 8601 time in UTC.
        who: who made it.
        why: why, if that was said.
        action: the command, such as "merge".
        what: what it did, in one line for people.
        names: identities that have another name from then on: old name -> new one.
        images: how many images had each old name.
        creates: identity that there was not before.
        pins: pictures whose identity is said.
        not_shown: pairs of a picture's key and an identity that it does not show.
        kept_apart: pairs of identities that are not the same.
        added: file of a picture that came into the gallery with this.
        undoes: number of the entry that this takes back.
        restores: version that each table went back to, by name; empty for all but "restore".
        versions: version of each table before.
        tables: name of the folder of the tables.
        sets_aside: numbers of the entries that a restore takes back, undone ones as well.
    """

    number: int
    when: str
    who: str
    why: str | None
    action: str
    what: str
    names: dict[str, str] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    creates: str | None = None
    pins: tuple[Pin, ...] = ()
    not_shown: tuple[tuple[str, str], ...] = ()
    kept_apart: tuple[tuple[str, str], ...] = ()
    added: FileRecord | None = None
    undoes: int | None = None
    restores: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    tables: str = ""
    sets_aside: tuple[int, ...] = ()

    @property
    def identities(self) -> set[str]:
        """Every identity it speaks of."""
        named = {*self.names, *self.names.values(), *(name for _, name in self.not_shown)}
        named.update(name for pair in self.kept_apart for name in pair)
        return named.union(*((pin.before, pin.after) for pin in self.pins)) - {None}  # type: ignore[return-value]

    def is_built_on_by(self, later: Entry) -> bool:
        """Say whether a later entry would mean something else if this one were taken back."""
        meant = {*self.names, self.creates} - {None}
        used = {*later.names, *later.names.values(), *(pin.after for pin in later.pins)}
        used |= {name for _, name in later.not_shown} | {name for pair in later.kept_apart for name in pair}
        pinned = {pin.key for pin in self.pins}
        return bool(meant & used) or any(pin.key in pinned for pin in later.pins)

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        record = asdict(self)
        return record | {"added": None if self.added is None else self.added._asdict()}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Entry:
        """Return what ``as_dict`` was made from."""
        record = dict(record)
        record["pins"] = tuple(Pin(**pin) for pin in record["pins"])
        record["added"] = None if record["added"] is None else FileRecord(**record["added"])
        for name in ("not_shown", "kept_apart"):
            record[name] = tuple((left, right) for left, right in record[name])
        record["sets_aside"] = tuple(record["sets_aside"])
        return cls(**record)


class CorrectionLog:
    """The log of one gallery, as it was when it was read.

    Args:
        folder: the gallery's folder.
        name: of the file, ``LOG_NAME`` or its second copy.

    Raises:
        GalleryCorruptError: if a line was altered or is missing, at the end as well.
    """

    def __init__(self, folder: Path, *, name: str = LOG_NAME) -> None:
        self._path = folder / name
        self._last = ""  # SHA-256 of the last line
        self._length = 0  # bytes that are whole lines
        self.entries: list[Entry] = []
        self.versions: dict[int, dict[str, int]] = {}  # version of each table once an entry was followed, by number
        copied = copy_of(self._path)
        # Before the lines are read: a writer may append and copy while they are.
        witnessed = copied.stat().st_size if copied.exists() else 0
        for number, line in enumerate(self._read(), start=1):
            try:
                if "done" in line:
                    self.versions[line["done"]] = dict(line["versions"])
                else:
                    self.entries.append(Entry.from_dict(line))
            except (KeyError, TypeError, ValueError) as error:
                raise GalleryCorruptError(
                    f"{self._path} line {number} is no correction that this version knows: upgrade nearid-search"
                ) from error
        if witnessed > self._length:
            raise GalleryCorruptError(f"{self._path} has lost its last lines, which {copied.name} has: {_REMEDY}")

    @property
    def pending(self) -> Entry | None:
        """The entry that the tables may not follow yet: only ever the last."""
        return self.entries[-1] if self.entries and self.entries[-1].number not in self.versions else None

    @property
    def undone(self) -> dict[int, int]:
        """Number of each entry that no longer holds -> number of the entry that took it back."""
        return _undone(self.entries)

    @property
    def standing(self) -> list[Entry]:
        """The entries that hold, in order."""
        return standing_of(self.entries)

    @property
    def num_in_force(self) -> int:
        """How many corrections hold; what takes others back is none."""
        return sum(entry.action not in ("undo", "restore") for entry in self.standing)

    def append(self, entry: Entry) -> None:
        """Add an entry; when this returns it is on disk. The caller holds the writer lock.

        Raises:
            OSError: if it cannot be written; the log is as it was.
        """
        self._write(entry.as_dict())
        self.entries.append(entry)

    def mark_done(self, number: int, versions: dict[str, int]) -> None:
        """Note that the tables follow an entry; see ``append``."""
        self._write({"done": number, "versions": versions})
        self.versions[number] = versions

    def _write(self, content: dict[str, Any]) -> None:
        linked = {**content, "previous": self._last}
        seal = digest(linked)
        line = json.dumps({**linked, "sha256": seal}, ensure_ascii=False, allow_nan=False) + "\n"
        self._append(line.encode())
        self._last = seal
        self._length += len(line.encode())

    def _append(self, line: bytes) -> None:
        if isinstance(self._path, ObjectPath):
            append_object(self._path, line, length=self._length)
            return
        is_new = not self._path.exists()
        # Unbuffered: a buffer would write what was refused once more when it is closed.
        with self._path.open("ab", buffering=0) as file:
            file.truncate(self._length)
            try:
                left = memoryview(line)
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._length)
                raise
        if is_new:
            _sync_folder(self._path.parent)

    def _read(self) -> Iterator[dict[str, Any]]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                return
            try:
                document = json.loads(line)
                seal = document.pop("sha256")
                intact = document["previous"] == self._last and seal == digest(document)
            except (ValueError, KeyError, TypeError, AttributeError):
                intact = False
            if not intact:
                raise GalleryCorruptError(
                    f"{self._path} line {number} was altered, or the line before it is missing: {_REMEDY}; "
                    f"moved away with {copy_of(self._path).name}, its corrections are lost with the next index"
                )
            self._last = seal
            self._length += len(line)
            yield {name: value for name, value in document.items() if name != "previous"}


def standing_of(entries: Sequence[Entry]) -> list[Entry]:
    """Return those of some entries that hold if there are no others, in order."""
    undone = _undone(entries)
    return [entry for entry in entries if entry.number not in undone]


def _undone(entries: Sequence[Entry]) -> dict[int, int]:
    taken: dict[int, int] = {}
    # A later undo decides whether an earlier restore holds, so the walk goes from the end.
    for entry in reversed(entries):
        if entry.number not in taken:
            taken |= dict.fromkeys(entry.sets_aside, entry.number)
            if entry.undoes is not None:
                taken[entry.undoes] = entry.number
    return taken


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
