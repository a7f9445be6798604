"""Suggest corrections: identities that may be one, and pictures that may show something else than their identity.

One measure serves both, so that the most useful come first: how much nearer a picture is to another identity than
pictures of one identity are to each other. What people have ruled out, or confirmed, is never offered again.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.config import SuggestConfig
from nearid_search.enrolled import EnrolledImages
from nearid_search.errors import ConfigError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.answered import Answered
from nearid_search.indexer.review.usual_scores import usual_scores
from nearid_search.indexer.review.view_groups import split_off
from nearid_search.indexer.review.view_neighbours import (
    AskedIdentity,
    Neighbour,
    OnViews,
    ask_views,
    draw_views,
    views_of,
)
from nearid_search.indexer.search.gallery_backend import open_gallery_backend
from nearid_search.indexer.search.row_keys import KEY_LENGTH, find_keys
from nearid_search.indexer.search.stored_index import OnWarning
from nearid_search.similarity import pair_scores
from nearid_search.suggestion import SuggestedPicture, Suggestion, Suggestions


class _Part(NamedTuple):
    """Views of an identity that are nearer to another one than to the rest."""

    places: tuple[int, ...]
    rest: float
    other: Neighbour


def suggest_corrections(
    gallery: Gallery,
    config: SuggestConfig | None = None,
    *,
    keys: Collection[str] | None = None,
    sure: bool = False,
    on_views: OnViews | None = None,
    on_warning: OnWarning | None = None,
) -> Suggestions:
    """Look for identities that may be one and for pictures that may show something else.

    Two identities are offered if each is the other's nearest, and their pictures are at most ``margin`` farther apart
    than pictures of either are from each other. An identity of a single picture is offered if a picture of another one,
    itself no stray, is that near to it. Pictures of an identity are offered if another identity is nearer to them than
    the rest of their own: single pictures, and groups that an edge of the maximum spanning tree of the identity's views
    cuts off. A single picture that is unlike its own as few of this gallery are, and no more like others, is offered as
    an outlier. At most 64 views of an identity are looked at.

    Args:
        gallery: the gallery.
        config: how.
        keys: only what one of these images is shown for; None for everything.
        sure: only what scores as high as pictures of one identity usually do, and outliers.
        on_views: called with the views looked at and those to look at.
        on_warning: told of a search index that cannot be used.

    Returns:
        The suggestions; the same gallery and settings give the same ones.
    """
    config = config or SuggestConfig()
    on_views = on_views or (lambda _done, _total: None)
    search = _Search(gallery, config, on_warning)
    chosen = draw_views(search.codes, views=config.views, seed=config.seed, among=search.rows_at(keys))
    asked = search.ask(chosen, on_views)
    nearest = {code: search.nearest(identity) for code, identity in asked.items()}
    partners = {found.code for _, found in nearest.values() if found is not None} - asked.keys()
    rng = np.random.default_rng(config.seed)
    more = search.ask({code: views_of(search.rows_of(code), rng) for code in sorted(partners)}, on_views)
    nearest |= {code: search.nearest(identity) for code, identity in more.items()}
    everything = asked | more
    found = [pair for pair in search.duplicates(everything, nearest) if not sure or search.is_usual(pair.score)]
    suspects = (search.mixed(identity) for identity in everything.values())
    mixed = [part for part in suspects if part is not None and (not sure or search.is_usual(part.score))]
    found += _once_a_pair(mixed, found)
    strays = {picture.key for suggestion in found if suggestion.kind == "mixed" for picture in suggestion.pictures[:-1]}
    found += [outlier for identity in asked.values() for outlier in search.outliers(identity, besides=strays)]
    if keys is not None:
        found = [suggestion for suggestion in found if _is_about(suggestion, keys)]
    found.sort(key=_by_strength)
    views = sum(len(identity.rows) for identity in everything.values())
    return Suggestions(tuple(found[: config.count]), views, len(search.codes))


def keys_of(gallery: Gallery, identities: Collection[str]) -> frozenset[str]:
    """Return the keys of the images of some identities.

    Raises:
        ConfigError: if there is no such identity.
    """
    rows = gallery.store.image_table(["identity"])
    names = rows.column("identity").to_pylist()
    unknown = sorted(set(identities).difference(names))
    if unknown:
        raise ConfigError(f"no identity {unknown[0]!r} in {gallery.folder}: see nearid-search gallery list")
    return frozenset(key for key, name in zip(rows.column("key").to_pylist(), names, strict=True) if name in identities)


def _is_about(suggestion: Suggestion, keys: Collection[str]) -> bool:
    pictures = suggestion.pictures[:1] if suggestion.kind == "outlier" else suggestion.pictures
    return any(picture.key in keys for picture in pictures)


def _by_strength(suggestion: Suggestion) -> tuple[float, tuple[str, ...], str]:
    return -suggestion.strength, suggestion.identities, suggestion.pictures[0].key


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

    def __init__(self, gallery: Gallery, config: SuggestConfig, on_warning: OnWarning | None) -> None:
        self._rows = rows = gallery.rows()
        self._images = EnrolledImages(gallery, rows)
        self.codes = self._images.codes
        self._answered = Answered(gallery.corrections_that_hold(), self._images.identities, rows)
        self._backend = open_gallery_backend(gallery, rows, on_warning=on_warning or (lambda _line: None))
        self._margin = config.margin
        self._usual = usual_scores(rows, self.codes, seed=config.seed)
        self._fence = -np.inf if self._usual is None else self._usual.fence

    def ask(self, chosen: dict[int, NDArray[np.int64]], on_views: OnViews) -> dict[int, AskedIdentity]:
        return ask_views(chosen, self._rows, self.codes, self._backend, on_views=on_views)

    def rows_of(self, code: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.codes == code)

    def rows_at(self, keys: Collection[str] | None) -> NDArray[np.int64] | None:
        if keys is None:
            return None
        found = find_keys(self._rows.keys, np.asarray(sorted(keys), f"S{KEY_LENGTH}"))
        return found[found >= 0]

    def is_usual(self, score: float) -> bool:
        """Say whether pictures of one identity usually score no higher."""
        return self._usual is not None and score >= self._usual.median

    def nearest(self, identity: AskedIdentity) -> tuple[int, Neighbour | None]:
        """Return the row of the view that is nearest to another identity, and that neighbour; None if all are apart."""
        best: tuple[int, Neighbour | None] = (-1, None)
        for row, others in zip(identity.rows.tolist(), identity.others, strict=True):
            for other in others:
                if not self._answered.are_apart(identity.code, other.code):
                    if best[1] is None or other.score > best[1].score:
                        best = (row, other)
                    break
        return best

    def duplicates(
        self, asked: dict[int, AskedIdentity], nearest: dict[int, tuple[int, Neighbour | None]]
    ) -> Iterator[Suggestion]:
        offered: set[frozenset[int]] = set()
        for code, (row, other) in nearest.items():
            if other is None or other.code not in asked or frozenset((code, other.code)) in offered:
                continue
            back_row, back = nearest[other.code]
            mutual = back is not None and back.code == code
            one, two = asked[code], asked[other.code]
            if not mutual and (len(one.rows) > 1 or self._usual is None):
                continue
            score = self._as_one(one, two)
            own = self._own_of(one, two)
            if own is None or score >= own - self._margin:
                offered.add(frozenset((code, other.code)))
                if back is not None and mutual and back.score > other.score:
                    row, other = back.row, Neighbour(other.code, back_row, back.score)
                yield self._duplicate(row, other.row, score, own)

    def _as_one(self, one: AskedIdentity, two: AskedIdentity) -> float:
        """Return how near two identities are; a single picture need only be near to one that is itself no stray."""
        single, several = sorted((one, two), key=lambda identity: len(identity.rows))
        if np.isfinite(self._fence) and len(single.rows) == 1 < len(several.rows):
            scores = pair_scores(single.vectors[0], several.vectors)
            if several.within[scores.argmax()].max() >= self._fence:
                return float(scores.max())
        return one.with_other(two)

    def _own_of(self, one: AskedIdentity, two: AskedIdentity) -> float | None:
        owns = [identity.own for identity in (one, two) if identity.own is not None]
        return min(owns, default=None if self._usual is None else self._usual.median)

    def _duplicate(self, row: int, other_row: int, score: float, own: float | None) -> Suggestion:
        pictures = sorted((self._picture(row), self._picture(other_row)))
        first, second = (picture.identity for picture in pictures)
        counts = [int(self._images.num_views[self.codes[known]]) for known in (row, other_row)]
        larger = self._images.identity_at(row if counts[0] > counts[1] else other_row)
        into = first if counts[0] == counts[1] else larger
        merged = second if into == first else first
        return Suggestion(
            "duplicate",
            (first, second),
            score,
            own,
            tuple(pictures),
            ("merge", merged, "--into", into),
            ("reject", first, second),
        )

    def mixed(self, identity: AskedIdentity) -> Suggestion | None:
        """Return the part of an identity that is nearest to another one, compared with the rest; None if none is."""
        parts = [part for places in split_off(identity.within) if (part := self._part(identity, places)) is not None]
        if not parts:
            return None
        part = max(parts, key=lambda part: (part.other.score - part.rest, -len(part.places)))
        name, other = self._name(identity.code), self._name(part.other.code)
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

    def outliers(self, identity: AskedIdentity, *, besides: set[str]) -> Iterator[Suggestion]:
        """Yield pictures unlike the rest of their identity, as few here are; not those that people have looked at."""
        if len(identity.rows) < 2:
            return
        name = self._name(identity.code)
        for place, row in enumerate(identity.rows.tolist()):
            score = float(identity.within[place].max())
            key = self._rows.key(row)
            looked_at = key in besides or self._answered.says_of(key) or self._answered.is_of(key, name)
            if score >= self._fence or looked_at:
                continue
            picture = self._picture(row)
            shown = picture.path or key
            yield Suggestion(
                "outlier",
                (name,),
                score,
                self._fence,
                (picture, self._picture(int(identity.rows[identity.within[place].argmax()]))),
                ("split", name, shown, "--as", self._free_name(name)),
                ("confirm", shown, name),
            )

    def _part(self, identity: AskedIdentity, places: tuple[int, ...]) -> _Part | None:
        inside = np.zeros(len(identity.rows), bool)
        inside[list(places)] = True
        rest = float(identity.within[inside][:, ~inside].max())
        nearest = [(others[0], place) for place in places if (others := identity.others[place])]
        if not nearest:
            return None
        other, place = max(nearest, key=lambda found: found[0].score)
        keys = [self._rows.key(int(identity.rows[known])) for known in (*places, place)]
        name, other_name = self._name(identity.code), self._name(other.code)
        if other.score <= rest or other.score < self._fence:  # below the fence it is like neither of the two
            return None
        if self._answered.settles(keys, name, keys[-1], other_name, self._rows.key(other.row)):
            return None
        return _Part(places, rest, other)

    def _picture(self, row: int) -> SuggestedPicture:
        return SuggestedPicture(self._images.identity_at(row), self._images.path_at(row), self._rows.key(row))

    def _name(self, code: int) -> str:
        return self._images.identities.name(code)

    def _free_name(self, name: str) -> str:
        return next(free for number in itertools.count(2) if self._images.code_of(free := f"{name}-{number}") < 0)
