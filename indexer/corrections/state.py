"""What all corrections together say: a pure function of the log, from what catalogues say to what answers say.

Two kinds of statement come from people. *This name is called that now* (rename, merge) holds for whatever a catalogue
calls by the old name, now and later. *This picture shows that* (confirm, split, remove) holds for one picture's bytes
until its catalogue says something else of it than it did then: the later statement counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nearid_search.indexer.corrections.log import Entry, Pin
from nearid_search.indexer.rows import FileRecord


@dataclass
class Corrections:
    """The corrections that hold.

    Attributes:
        names: what a catalogue calls a thing -> its identity, where these differ.
        pins: the last statement about each picture, by key.
        not_shown: for a picture's key the identities that it does not show, each with the entry that says so.
        kept_apart: pairs of identities that are not the same, each with the entry that says so.
        added: files that came in by hand, by key.
    """

    names: dict[str, str] = field(default_factory=dict)
    pins: dict[str, Pin] = field(default_factory=dict)
    not_shown: dict[str, dict[str, int]] = field(default_factory=dict)
    kept_apart: dict[frozenset[str], int] = field(default_factory=dict)
    added: dict[str, FileRecord] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Corrections:
        """Return what entries say together.

        Args:
            entries: those that hold, in order.
        """
        corrections = cls()
        for entry in entries:
            corrections._follow(entry)
        return corrections

    def identity_of(self, key: str, said: str | None, path: str | None) -> str | None:
        """Return the identity of a picture.

        Args:
            key: of the picture.
            said: what its catalogue calls the thing; None for nothing.
            path: its stored path, which names it where nothing else does.

        Returns:
            The identity; None if it is in no answer.

        Example:
            >>> Corrections(names={"cup": "mug"}).identity_of("ab12", "cup", "catalog/cup/1.jpg")
            'mug'
        """
        pin = self.pins.get(key)
        if pin is not None and pin.said == said:
            return pin.after
        return path if said is None else self.names.get(said, said)

    def _follow(self, entry: Entry) -> None:
        for old, new in entry.names.items():
            self._rename(old, new)
        self.pins.update((pin.key, pin) for pin in entry.pins)
        for key, identity in entry.not_shown:
            self.not_shown.setdefault(key, {})[identity] = entry.number
        self.kept_apart |= dict.fromkeys(map(frozenset, entry.kept_apart), entry.number)
        if entry.added is not None and entry.added.key is not None:
            self.added[entry.added.key] = entry.added

    def _rename(self, old: str, new: str) -> None:
        self.names = {said: new if name == old else name for said, name in self.names.items()}
        # A catalogue's name that has been given another identity does not mean the one renamed here.
        self.names.setdefault(old, new)
        self.pins = {key: replace(pin, after=new) if pin.after == old else pin for key, pin in self.pins.items()}
        self.not_shown = {
            key: {new if name == old else name: number for name, number in names.items()}
            for key, names in self.not_shown.items()
        }
        self.kept_apart = {
            frozenset(new if name == old else name for name in pair): number for pair, number in self.kept_apart.items()
        }
