"""What a correction must not contradict, and what it must pin because no name holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from nearid_search.errors import CorrectionError
from nearid_search.indexer.corrections.desk import Desk
from nearid_search.indexer.corrections.log import Pin
from nearid_search.indexer.corrections.targets import KnownImage, check_name


def check_target(desk: Desk, identity: str, *, new: bool) -> None:
    """Refuse an identity that should be there and is not, or the other way round.

    Raises:
        CorrectionError: with the names most like it.
    """
    check_name(identity)
    if not new:
        desk.targets.images_of(identity)
    elif desk.targets.is_identity(identity):
        raise CorrectionError(
            f"there is an identity {identity!r} already: confirm pictures of it, merge into it, or take another name"
        )


def check_not_apart(desk: Desk, identities: Sequence[str]) -> None:
    """Refuse to make one of identities that were said to be two.

    Raises:
        CorrectionError: naming the entry that says so.
    """
    for left, right in combinations(identities, 2):
        number = desk.corrections.kept_apart.get(frozenset((left, right)))
        if number is not None:
            raise CorrectionError(f"{left!r} and {right!r} were kept apart by entry {number}: undo that first")


def check_may_show(desk: Desk, key: str, shown: str, identity: str) -> None:
    """Refuse to say that a picture shows what it was said not to show.

    Args:
        desk: the gallery.
        key: of the picture.
        shown: what to call it.
        identity: what it is to show.

    Raises:
        CorrectionError: naming the entry that says so.
    """
    number = desk.corrections.not_shown.get(key, {}).get(identity)
    if number is not None:
        raise CorrectionError(f"{shown} does not show {identity!r} by entry {number}: undo that first")


def pins_of_unnamed(desk: Desk, images: Sequence[KnownImage], identity: str) -> Iterator[Pin]:
    """Yield a pin for each image whose identity no catalogue names: the name of its path would be lost with a move."""
    for image in images:
        pin = desk.corrections.pins.get(image.key)
        if image.said is None and (pin is None or pin.said is not None):
            yield Pin(image.key, image.path, image.identity, identity, None)
