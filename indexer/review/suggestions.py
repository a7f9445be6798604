"""Suggest corrections: identities that may be one, and pictures that may show something else than their identity.

One measure serves both, so that the most useful come first: how much nearer a picture is to another identity than
pictures of one identity are to each other. What people have ruled out, or confirmed, is never offered again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.config import QueryConfig, SuggestConfig
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.suggestion_records import SuggestedPicture, Suggestion, Suggestions
from nearid_search.indexer.review.view_groups import split_off
from nearid_search.indexer.review.view_neighbours import (
    AskedIdentity,
    Neighbour,
    OnViews,
    ask_views,
    draw_views,
    views_of,
)
from nearid_search.indexer.search.stored_index import OnWarning, open_backend


class _Part(NamedTuple):
    """Views of an identity that are nearer to another one than to the rest."""

    places: tuple[int, ...]
    rest: float
    other: Neighbour


def suggest_corrections(
    gallery: Gallery,
    config: SuggestConfig | None = None,
    *,
    on_views: OnViews | None = None,
    on_warning: OnWarning | None = None,
) -> Suggestions:
    """Look for identities that may be one and for pictures that may show something else.

    Two identities are offered if each is the other's nearest, and their pictures are at most ``margin`` farther apart
    than pictures of either are from each other. Pictures of an identity are offered if another identity is nearer
    to them than the rest of their own: single pictures, and groups that an edge of the maximum spanning tree of the
    identity's views cuts off. At most 16 views of an identity are looked at.

    Args:
        gallery: the gallery.
        config: how.
        on_views: called with the views looked at and those to look at.
        on_warning: told of a search index that cannot be used.

    Returns:
        The suggestions; the same gallery and settings give the same ones.
    """
    config = config or SuggestConfig()
    on_views = on_views or (lambda _done, _total: None)
    search = _Search(gallery, on_warning)
    chosen = draw_views(search.codes, views=config.views, seed=config.seed)
    asked = search.ask(chosen, on_views)
    nearest = {code: search.nearest(identity) for code, identity in asked.items()}
    partners = {found.code for _, found in nearest.values() if found is not None} - asked.keys()
    rng = np.random.default_rng(config.seed)
    more = search.ask({code: views_of(search.rows_of(code), rng) for code in sorted(partners)}, on_views)
    nearest |= {code: search.nearest(identity) for code, identity in more.items()}
    everything = asked | more
    typical = _typical(everything)
    found = [*search.duplicates(everything, nearest, typical, config.margin)]
    mixed = (search.mixed(identity) for identity in asked.values())
    found += _once_a_pair([suggestion for suggestion in mixed if suggestion is not None], found)
    found.sort(key=_by_strength)
    views = sum(len(identity.rows) for identity in everything.values())
    return Suggestions(tuple(found[: config.count]), views, len(search.keys))


def _by_strength(suggestion: Suggestion) -> tuple[float, tuple[str, str]]:
    return -suggestion.strength, suggestion.identities


def _once_a_pair(mixed: list[Suggestion], duplicates: list[Suggestion]) -> list[Suggestion]:
    """Leave the stronger of both directions: a stray picture makes those that it shows look astray, too."""
    pairs = {frozenset(suggestion.identities) for suggestion in duplicates}
    kept = []
    for suggestion in sorted(mixed, key=_by_strength):
        if frozenset(suggestion.identities) not in pairs:
            pairs.add(frozenset(suggestion.identities))
            kept.append(suggestion)
    return kept


class _Search:
    """A gallery, its search, and what people have said of it."""

    def __init__(self, gallery: Gallery, on_warning: OnWarning | None) -> None:
        rows = gallery.rows()
        table = rows.labels
        self.gallery = gallery
        self.keys: list[str] = table.column("key").to_pylist()
        self._paths: list[str | None] = table.column("path").to_pylist()
        names, codes = np.unique(np.asarray(table.column("identity").to_pylist(), dtype=object), return_inverse=True)
        self.names: list[str] = names.tolist()
        self.codes: NDArray[np.int64] = codes.astype(np.int64)
        self._said = gallery.corrections_that_hold()
        self._apart = _kept_apart(self._said, self.names, self.keys, self.codes)
        warn = on_warning or (lambda _line: None)
        self._backend = open_backend(QueryConfig.backend, gallery.index_dir, rows, on_warning=warn)

    def ask(self, chosen: dict[int, NDArray[np.int64]], on_views: OnViews) -> dict[int, AskedIdentity]:
        return ask_views(chosen, self.keys, self.codes, self.gallery.store, self._backend, on_views=on_views)

    def rows_of(self, code: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.codes == code)

    def nearest(self, identity: AskedIdentity) -> tuple[int, Neighbour | None]:
        """Return the row of the view that is nearest to another identity, and that neighbour; None if all are apart."""
        best: tuple[int, Neighbour | None] = (-1, None)
        for row, others in zip(identity.rows.tolist(), identity.others, strict=True):
            for other in others:
                if frozenset((identity.code, other.code)) not in self._apart:
                    if best[1] is None or other.score > best[1].score:
                        best = (row, other)
                    break
        return best

    def duplicates(
        self,
        asked: dict[int, AskedIdentity],
        nearest: dict[int, tuple[int, Neighbour | None]],
        typical: float | None,
        margin: float,
    ) -> Iterator[Suggestion]:
        for code, (row, other) in nearest.items():
            if other is None or nearest.get(other.code, (-1, None))[1] is None:
                continue
            back = nearest[other.code][1]
            if back is None or back.code != code or code > other.code:
                continue
            if back.score > other.score:
                row, other = back.row, Neighbour(other.code, nearest[other.code][0], back.score)
            score = asked[code].with_other(asked[other.code])
            owns = [known for known in (asked[code].own, asked[other.code].own) if known is not None]
            own = min(owns, default=typical)
            if own is None or score >= own - margin:
                first, second = self.names[code], self.names[other.code]
                yield Suggestion(
                    "duplicate",
                    (first, second),
                    score,
                    own,
                    (self._picture(row), self._picture(other.row)),
                    ("merge", second, "--into", first),
                    ("reject", first, second),
                )

    def mixed(self, identity: AskedIdentity) -> Suggestion | None:
        """Return the part of an identity that is nearest to another one, compared with the rest; None if none is."""
        parts = [part for places in split_off(identity.within) if (part := self._part(identity, places)) is not None]
        if not parts:
            return None
        part = max(parts, key=lambda part: (part.other.score - part.rest, -len(part.places)))
        name, other = self.names[identity.code], self.names[part.other.code]
        pictures = sorted(
            (self._picture(int(identity.rows[place])) for place in part.places), key=lambda p: (p.path or "", p.key)
        )
        shown = [picture.path or picture.key for picture in pictures]
        command, keep = ["confirm", shown[0], other], ["reject", shown[0], other]
        if len(shown) > 1:
            command, keep = ["split", name, *shown, "--as", self._free_name(name)], ["reject", name, other]
        return Suggestion(
            "mixed",
            (name, other),
            part.other.score,
            part.rest,
            (*pictures, self._picture(part.other.row)),
            tuple(command),
            tuple(keep),
        )

    def _part(self, identity: AskedIdentity, places: tuple[int, ...]) -> _Part | None:
        inside = np.zeros(len(identity.rows), bool)
        inside[list(places)] = True
        rest = float(identity.within[inside][:, ~inside].max())
        nearest = [(others[0], place) for place in places if (others := identity.others[place])]
        if not nearest:
            return None
        other, place = max(nearest, key=lambda found: found[0].score)
        if other.score <= rest or self._is_answered(identity, places, place, other):
            return None
        return _Part(places, rest, other)

    def _is_answered(self, identity: AskedIdentity, places: tuple[int, ...], place: int, other: Neighbour) -> bool:
        """Say whether somebody has said what one of the pictures shows, or that the nearest other is something else.

        The next nearest is not offered in its place: whoever said so has looked at the pictures.
        """
        name, other_name = self.names[identity.code], self.names[other.code]
        keys = [self.keys[int(identity.rows[known])] for known in places]
        key = self.keys[int(identity.rows[place])]
        return (
            any((pin := self._said.pins.get(known)) is not None and pin.after == name for known in keys)
            or other_name in self._said.not_shown.get(key, {})
            or name in self._said.not_shown.get(self.keys[other.row], {})
            or frozenset((name, other_name)) in self._said.kept_apart
        )

    def _picture(self, row: int) -> SuggestedPicture:
        return SuggestedPicture(self.names[self.codes[row]], self.gallery.shown_path(self._paths[row]), self.keys[row])

    def _free_name(self, name: str) -> str:
        taken = set(self.names)
        return next(free for number in range(2, len(taken) + 3) if (free := f"{name}-{number}") not in taken)


def _kept_apart(said: Corrections, names: list[str], keys: list[str], codes: NDArray[np.int64]) -> set[frozenset[int]]:
    """Return pairs of identities that are not the same: said of them, or of a picture of one."""
    code_of = {name: code for code, name in enumerate(names)}
    apart = {frozenset(code_of[name] for name in pair) for pair in said.kept_apart if pair <= code_of.keys()}
    if said.not_shown:
        code_of_key = {key: int(codes[row]) for row, key in enumerate(keys) if key in said.not_shown}
        for key, code in code_of_key.items():
            apart |= {frozenset((code, code_of[name])) for name in said.not_shown[key] if name in code_of}
    return apart


def _typical(asked: dict[int, AskedIdentity]) -> float | None:
    """Return what views of one identity usually score with each other; None if no identity has two."""
    owns = [identity.own for identity in asked.values() if identity.own is not None]
    return float(np.median(owns)) if owns else None
