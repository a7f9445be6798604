"""Questions to a gallery that a rebuild may overtake: the one that takes its place answers them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from nearid_search.errors import GalleryReplacedError
from nearid_search.indexer.gallery import Gallery

T = TypeVar("T")


class Overtaken(ABC):
    """Base of what answers questions about a gallery as it was opened, until that is deleted under it.

    Attributes:
        gallery: the gallery.
    """

    gallery: Gallery
    _successor: Self | None = None

    @abstractmethod
    def opened_again(self) -> Self:
        """Return another one with the same settings, on the gallery as it is by now.

        Raises:
            GalleryError: if the gallery cannot be opened any more.
            WeightsError: if the weights of another encoder are missing.
        """

    @property
    def in_force(self) -> Self:
        """What answers: this one, or what took its place when its tables were gone; see ``ask``."""
        current = self
        while current._successor is not None:
            current = current._successor
        return current

    def ask(self, question: Callable[[Self], T]) -> T:
        """Have a question answered; by the gallery in force, if a rebuild has deleted the tables that it needs.

        That gallery answers from then on. Nothing that was taken from this one before, such as numbers of rows, fits
        it, so a question must start from what it is given.

        Args:
            question: what is to be known; it may be asked again.

        Raises:
            GalleryReplacedError: if this is a gallery as it was at some time, which is gone with its tables.
            Whatever ``question`` and ``opened_again`` raise.
        """
        while True:
            current = self.in_force
            try:
                return question(current)
            except GalleryReplacedError:
                if current.gallery.is_past:
                    raise
                current._successor = current.opened_again()


E = TypeVar("E", bound=Overtaken)


class OncePerGallery(Generic[E, T]):
    """Something that many questions need, made once and made anew when another gallery answers.

    Args:
        make: makes it.
    """

    def __init__(self, make: Callable[[E], T]) -> None:
        self._make = make
        self._made: tuple[E, T] | None = None

    def of(self, asked: E) -> T:
        """Return what belongs to the one that is asked."""
        if self._made is None or self._made[0] is not asked:
            self._made = asked, self._make(asked)
        return self._made[1]
