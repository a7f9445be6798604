"""What an indexing run would do, from one stat a file and the ledger; pure bookkeeping, no picture is opened.

The one exception is a new file that has the size of a vanished one: its bytes are hashed to tell a move from a
coincidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.indexer.rows import FileRecord


@dataclass
class IndexPlan:
    """The work an indexing run has before it.

    Attributes:
        new: files never seen.
        changed: files whose size or time differs from the ledger's, with what the ledger holds.
        moved: files seen under another path that is gone, with that path's record.
        gone: records of this catalogue whose files are not there.
        hidden: records of this catalogue whose files cannot be looked at now; they stay as they are.
        unchanged: records whose files need no look, readable or not.
    """

    new: list[ScannedFile] = field(default_factory=list)
    changed: list[tuple[ScannedFile, FileRecord]] = field(default_factory=list)
    moved: list[tuple[ScannedFile, FileRecord]] = field(default_factory=list)
    gone: list[FileRecord] = field(default_factory=list)
    hidden: list[FileRecord] = field(default_factory=list)
    unchanged: list[FileRecord] = field(default_factory=list)

    @property
    def num_indexed(self) -> int:
        """Unchanged files that are in the gallery."""
        return sum(record.error is None for record in self.unchanged)

    @property
    def num_unreadable(self) -> int:
        """Unchanged files that could not be read before."""
        return len(self.unchanged) - self.num_indexed

    @property
    def to_read(self) -> list[ScannedFile]:
        """Files that must be opened, in the order in which they lie in the catalogue."""
        files = [*self.new, *(scanned for scanned, _ in self.changed)]
        return sorted(files, key=lambda file: (file.source or "", file.place, file.path))

    def describe(self) -> str:
        """Return the plan as one line."""
        line = (
            f"{self.num_indexed} indexed already, {len(self.new)} new, {len(self.changed)} changed, "
            f"{len(self.moved)} moved, {len(self.gone)} gone"
        )
        return line + (f", {self.num_unreadable} unreadable as before" if self.num_unreadable else "")


def make_plan(
    scanned: Iterable[ScannedFile],
    ledger: Iterable[FileRecord],
    *,
    stored: Callable[[str], str],
    owns: Callable[[FileRecord], bool],
    may_be_there: Callable[[str], bool],
    content_keys: Callable[[list[ScannedFile]], Iterable[str | None]],
) -> IndexPlan:
    """Compare a catalogue with the ledger.

    Args:
        scanned: the catalogue's files.
        ledger: everything the gallery knows, of this and other catalogues.
        stored: turns a catalogue path into a stored path.
        owns: whether a record is of this catalogue, so that its file is gone if it is not there.
        may_be_there: whether a file of this catalogue that was not found, by stored path, may be there all the same.
        content_keys: SHA-256 of the bytes of each of some files; None if they cannot be read.

    Returns:
        The plan.
    """
    known = {record.path: record for record in ledger}
    plan = IndexPlan()
    for file in scanned:
        record = known.pop(stored(file.path), None)
        if record is None:
            plan.new.append(file)
        elif (record.size, record.mtime_ns) == (file.size, file.mtime_ns):
            plan.unchanged.append(record)
        else:
            plan.changed.append((file, record))
    missing = sorted(filter(owns, known.values()), key=lambda record: record.path)
    plan.hidden = [record for record in missing if may_be_there(record.path)]
    plan.gone = [record for record in missing if not may_be_there(record.path)]
    _find_moves(plan, content_keys)
    return plan


def _find_moves(plan: IndexPlan, content_keys: Callable[[list[ScannedFile]], Iterable[str | None]]) -> None:
    gone_sizes = {record.size for record in plan.gone if record.key and record.error is None}
    if not gone_sizes:
        return
    gone_by_key = {record.key: record for record in reversed(plan.gone) if record.key and record.error is None}
    candidates = [file for file in plan.new if file.size in gone_sizes]
    for file, key in zip(candidates, content_keys(candidates), strict=True):
        record = gone_by_key.pop(key, None) if key is not None else None
        if record is not None:
            plan.moved.append((file, record))
    taken = {record.path for _, record in plan.moved}
    found = {file.path for file, _ in plan.moved}
    plan.new = [file for file in plan.new if file.path not in found]
    plan.gone = [record for record in plan.gone if record.path not in taken]
