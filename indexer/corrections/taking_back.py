"""Take corrections back: one by its number, or all of a time together with what was indexed since."""

from __future__ import annotations

from typing import Any, NamedTuple

from nearid_search.errors import CorrectionError, NotFoundError
from nearid_search.indexer.corrections.desk import Correction, Desk
from nearid_search.indexer.corrections.follow import table_versions
from nearid_search.indexer.corrections.log import CorrectionLog, Entry
from nearid_search.indexer.corrections.restore_point import drop_tag, list_tags, made_after, set_tag, versions_at
from nearid_search.indexer.corrections.targets import Targets
from nearid_search.indexer.gallery import Gallery

__all__ = ["PastEntry", "drop_tag", "history", "list_tags", "restore", "set_tag", "undo"]

_TAKES_BACK = ("undo", "restore")


class PastEntry(NamedTuple):
    """An entry of the log as it stands now.

    Attributes:
        entry: what it says.
        undone_by: number of the entry that took it back; None if it holds.
        version: of the images table once it was followed; None if a crash came first and nothing was written since.
    """

    entry: Entry
    undone_by: int | None
    version: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return it with the stable keys of ``gallery history --json``."""
        entry = self.entry
        return {
            "entry": entry.number,
            "when": entry.when,
            "who": entry.who,
            "why": entry.why,
            "action": entry.action,
            "what": entry.what,
            "undone_by": self.undone_by,
            "version": self.version,
            "names": entry.names,
            "images": entry.images,
            "pictures": [{"path": p.path, "key": p.key, "before": p.before, "after": p.after} for p in entry.pins],
            "not_shown": [{"key": key, "identity": identity} for key, identity in entry.not_shown],
            "kept_apart": [list(pair) for pair in entry.kept_apart],
            "undoes": entry.undoes,
            "sets_aside": list(entry.sets_aside),
        }


def history(gallery: Gallery, identity: str | None = None) -> list[PastEntry]:
    """Return what the log of a gallery holds, the latest last.

    Args:
        gallery: the gallery.
        identity: only entries that speak of it, by the name it has now or one that it had before.

    Raises:
        CorrectionError: if neither the gallery nor the log has an identity of that name.
        GalleryCorruptError: if the log is damaged.
    """
    log = CorrectionLog(gallery.folder)
    undone = log.undone
    entries = log.entries if identity is None else _of_identity(log, identity)
    if identity is not None and not entries and identity not in gallery.identities():
        raise NotFoundError(f"there is no identity {identity!r}, in the gallery or in its history")
    return [
        PastEntry(entry, undone.get(entry.number), log.versions.get(entry.number, {}).get("images"))
        for entry in entries
    ]


def _of_identity(log: CorrectionLog, identity: str) -> list[Entry]:
    names, numbers = {identity}, set()
    for entry in reversed(log.entries):
        names |= {old for old, new in entry.names.items() if new in names}
        if entry.identities & names:
            numbers.add(entry.number)
    return [e for e in log.entries if e.number in numbers or e.undoes in numbers or numbers & set(e.sets_aside)]


def undo(desk: Desk, number: int | None = None) -> Correction:
    """Take one entry back.

    Pictures that came under a name since keep following it: those of a catalogue their catalogue's word, those
    confirmed by hand the name they were given.

    Args:
        desk: the gallery.
        number: the entry; None for the last that holds and takes nothing back itself.

    Raises:
        CorrectionError: if there is none, it was taken back already, or a later one that holds is built on it.
    """
    entry = _to_take_back(desk.log, number)
    what = f"not: {entry.what}"
    if entry.action == "restore":
        _check_untouched(desk, entry)
        return _to_versions(desk, "undo", what, entry.versions, undoes=entry.number)
    for later in desk.log.standing:
        if later.number > entry.number and entry.is_built_on_by(later):
            raise CorrectionError(
                f"entry {later.number} ({later.action}: {later.what}) is built on entry {entry.number}: undo that first"
            )
    return desk.make("undo", what, undoes=entry.number)


def restore(desk: Desk, to: str) -> Correction:
    """Make a gallery what it was: its images, its ledger of files, and the corrections that held.

    Files of a catalogue that were indexed since are new again to the next ``index``.

    Args:
        desk: the gallery.
        to: version of the images table, a tag, or an ISO 8601 time.

    Raises:
        CorrectionError: if it is none of these, has been cleaned up, or is what the gallery is now.
    """
    tables = desk.gallery.store.tables
    versions = versions_at(tables, to)
    later = made_after(desk.log, to, versions, desk.gallery.manifest.tables)
    if versions["images"] == table_versions(desk.gallery.store)["images"] and not later:
        raise CorrectionError(f"the gallery is as it was at {to}: there is nothing to restore")
    what = f"as at {to}" + ("" if to == str(versions["images"]) else f" (version {versions['images']})")
    return _to_versions(desk, "restore", what, versions, sets_aside=tuple(entry.number for entry in later))


def tags(gallery: Gallery) -> list[Any]:
    """Return the named versions of a gallery."""
    return list_tags(gallery.store.images)


def _to_take_back(log: CorrectionLog, number: int | None) -> Entry:
    undone = log.undone
    if number is None:
        holding = [entry for entry in log.standing if entry.action != "undo"]
        if not holding:
            raise CorrectionError("there is no correction to undo" + (": all were undone" if log.entries else ""))
        return holding[-1]
    entry = next((entry for entry in log.entries if entry.number == number), None)
    if entry is None:
        has = f"the log has 1 to {len(log.entries)}" if log.entries else "nothing has been corrected"
        raise NotFoundError(f"there is no entry {number}: {has}")
    if number in undone:
        raise CorrectionError(f"entry {number} ({entry.what}) was undone by entry {undone[number]} already")
    if entry.action == "undo":
        raise CorrectionError(f"entry {number} is an undo itself: give the command again that it undid")
    return entry


def _check_untouched(desk: Desk, entry: Entry) -> None:
    """Refuse to undo a restore where that would lose what was written since."""
    back = entry.versions["images"]
    now = table_versions(desk.gallery.store)
    if entry.tables != desk.gallery.manifest.tables:
        raise CorrectionError(f"entry {entry.number} restored tables that --rebuild has replaced: it cannot be undone")
    if now != desk.log.versions[entry.number]:
        raise CorrectionError(
            f"the gallery was written to since entry {entry.number}, and that would be lost: to lose it all the same, "
            f"nearid-search gallery restore {back}"
        )
    for name, table in desk.gallery.store.tables.items():
        if entry.versions[name] not in [found["version"] for found in table.list_versions()]:
            raise CorrectionError(f"entry {entry.number} cannot be undone: version {back} has been cleaned up")


def _to_versions(desk: Desk, action: str, what: str, versions: dict[str, int], **content: Any) -> Correction:  # noqa: ANN401
    before = _shown(desk.targets)
    made = desk.make(action, what, restores=versions, **content)
    after = _shown(Targets(desk.gallery))
    changed = sum(before.get(key) != after.get(key) for key in before.keys() | after.keys())
    return Correction(made.gallery, made.entry, changed, made.version)


def _shown(targets: Targets) -> dict[str, str]:
    return {image.key: name for name in targets.identities for image in targets.images_of(name)}
