"""What people correct: which identity a picture shows, and what identities are called.

Each correction is one entry of the gallery's log, made at once and undone by its number; see ``correction_state`` for
what entries mean together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_search.errors import CorrectionError
from nearid_search.indexer.catalogue.pipeline import PreparedPicture, content_key
from nearid_search.indexer.corrections import taking_back
from nearid_search.indexer.corrections.checks import check_may_show, check_not_apart, check_target, pins_of_unnamed
from nearid_search.indexer.corrections.confirming import confirm_picture
from nearid_search.indexer.corrections.desk import Author, Correction, Desk, at_desk
from nearid_search.indexer.corrections.log import Pin
from nearid_search.indexer.corrections.restore_point import Tag
from nearid_search.indexer.corrections.targets import KnownImage, check_name
from nearid_search.indexer.corrections.uploads import kept_upload
from nearid_search.indexer.gallery import Gallery

if TYPE_CHECKING:
    from nearid_search.image_encoder import ImageEncoder


class GalleryCorrections:
    """The corrections of one gallery.

    ``by`` is who corrects, by default the user of this process; ``because`` is kept with it. Every method that writes
    raises ``CorrectionError`` for what cannot be done, ``GalleryLockedError`` if another process writes for long,
    ``GalleryCorruptError`` and ``GalleryWriteError``.

    Args:
        gallery: the gallery.
        files: whether a picture may be named by a file that is not in the gallery; False where those who name it must
            not learn of files, or have them read.
    """

    def __init__(self, gallery: Gallery, *, files: bool = True) -> None:
        self._gallery = gallery
        self._files = files

    def confirm(
        self,
        picture: str | Path,
        identity: str,
        *,
        new: bool = False,
        encoder: ImageEncoder | None = None,
        by: str | None = None,
        because: str | None = None,
    ) -> Correction:
        """Say that a picture shows an identity; one that is not in the gallery comes in as a view of it.

        Args:
            picture: a file, or an image of the gallery by path or key.
            identity: what it shows.
            new: it is the first view of that identity.
            encoder: the gallery's, if it is open; else it is opened when it is needed.
            by: who says so.
            because: why.

        Raises:
            CorrectionError: if the identity is unknown (with ``new``: known), or the picture was said not to show it.
            NoEncoderError: if the picture is new and the gallery's embeddings were imported.
            UnreadableImageError: if the file cannot be read.
        """
        with at_desk(self._gallery, Author(by, because)) as desk:
            check_target(desk, identity, new=new)
            found = desk.targets.picture(str(picture), files=self._files)
            return confirm_picture(desk, found, identity, new=new, encoder=encoder)

    def enrol(
        self,
        data: bytes,
        identity: str,
        *,
        name: str,
        new: bool = False,
        encoder: ImageEncoder | None = None,
        decoded: PreparedPicture | None = None,
        by: str | None = None,
        because: str | None = None,
    ) -> Correction:
        """Say that a picture shows an identity, and keep the picture in the gallery's folder.

        ``confirm`` for a picture that has no file of its own, with its errors. One that the gallery has already is
        confirmed only.

        Args:
            data: the bytes of its file, in a format that can be read.
            identity: what it shows.
            name: what to call it in an error.
            new: it is the first view of that identity.
            encoder: the gallery's, if it is open; else it is opened when it is needed.
            decoded: what ``prepare_picture`` made of the bytes with that encoder, if it has been asked.
            by: who says so.
            because: why.
        """
        with at_desk(self._gallery, Author(by, because)) as desk:
            check_target(desk, identity, new=new)
            found = desk.targets.with_key(content_key(data))
            if found is not None:
                return confirm_picture(desk, found, identity, new=new)
            with kept_upload(self._gallery.folder, data, name=name) as kept:
                return confirm_picture(desk, kept, identity, new=new, encoder=encoder, decoded=decoded)

    def reject(
        self, picture: str | Path, identity: str, *, by: str | None = None, because: str | None = None
    ) -> Correction:
        """Say that a picture does not show an identity, or that two identities are not the same.

        Asked about that picture again, by whatever name its file has, the gallery does not answer with that identity.
        If it is a view of it, it becomes its own identity.

        Args:
            picture: a file, an image of the gallery by path or key, the key of another picture, or an identity.
            identity: what it is not.
            by: who says so.
            because: why.

        Raises:
            CorrectionError: if there is none of these, or it has been said already.
        """
        with at_desk(self._gallery, Author(by, because)) as desk:
            desk.targets.images_of(identity)
            if desk.targets.is_identity(str(picture)) and desk.targets.find(str(picture)) is None:
                return _keep_apart(desk, str(picture), identity)
            found = desk.targets.picture(str(picture), files=self._files, unseen=True)
            shown = found.path or found.key
            if shown == identity:
                raise CorrectionError(f"{identity!r} is the picture's own name: there is nothing to reject")
            check_may_show(desk, found.key, shown, identity)
            pins: tuple[Pin, ...] = ()
            if isinstance(found, KnownImage) and found.identity == identity:
                pins = (Pin(found.key, found.path, identity, shown, found.said),)
            return desk.make(
                "reject", f"{shown} does not show {identity}", pins=pins, not_shown=((found.key, identity),)
            )

    def merge(
        self, identities: Sequence[str], *, into: str, by: str | None = None, because: str | None = None
    ) -> Correction:
        """Make one identity of several; whatever a catalogue calls by their names is that one from then on.

        Args:
            identities: which; ``into`` may be among them.
            into: the one whose name stays.
            by: who says so.
            because: why.

        Raises:
            CorrectionError: if one is unknown, named twice, the only one, or was said not to be another of them.
        """
        with at_desk(self._gallery, Author(by, because)) as desk:
            check_target(desk, into, new=False)
            sources = [identity for identity in identities if identity != into]
            if len(set(identities)) < len(identities):
                repeated = next(name for name in identities if identities.count(name) > 1)
                raise CorrectionError(f"{repeated!r} is named twice: name each identity once")
            if not sources:
                raise CorrectionError(f"{into!r} cannot be merged into itself: name another identity")
            images = {name: desk.targets.images_of(name) for name in sources}
            check_not_apart(desk, [*sources, into])
            return desk.make(
                "merge",
                f"{', '.join(sources)} {'is' if len(sources) == 1 else 'are'} {into}",
                names=dict.fromkeys(sources, into),
                images={name: len(found) for name, found in images.items()},
                pins=tuple(pin for found in images.values() for pin in pins_of_unnamed(desk, found, into)),
            )

    def split(
        self,
        identity: str,
        pictures: Sequence[str | Path],
        *,
        into: str,
        by: str | None = None,
        because: str | None = None,
    ) -> Correction:
        """Make some views of an identity an identity of their own.

        Args:
            identity: the one that is too much.
            pictures: views of it, by path or key.
            into: name of the new identity.
            by: who says so.
            because: why.

        Raises:
            CorrectionError: if one is unknown, they are all its views, or the name is taken.
        """
        with at_desk(self._gallery, Author(by, because)) as desk:
            views = desk.targets.images_of(identity)
            check_target(desk, into, new=True)
            chosen = list(dict.fromkeys(desk.targets.image(str(picture), among=views) for picture in pictures))
            if not chosen:
                raise CorrectionError(f"no picture of {identity!r} is named: name those that show something else")
            if len(chosen) == len(views):
                raise CorrectionError(f"these are all {len(views)} pictures of {identity!r}: rename it instead")
            return desk.make(
                "split",
                f"{len(chosen)} of {len(views)} pictures of {identity} show {into}",
                pins=tuple(Pin(view.key, view.path, identity, into, view.said) for view in chosen),
                creates=into,
            )

    def rename(self, old: str, new: str, *, by: str | None = None, because: str | None = None) -> Correction:
        """Call an identity something else, now and whenever a catalogue calls it by the old name.

        Args:
            old: what it is called.
            new: what it is to be called.
            by: who says so.
            because: why.

        Raises:
            CorrectionError: if the first is unknown or the second is taken.
        """
        with at_desk(self._gallery, Author(by, because)) as desk:
            views = desk.targets.images_of(old)
            if old == new:
                raise CorrectionError(f"{old!r} is called that already: give another name")
            if desk.targets.is_identity(new):
                raise CorrectionError(f"there is an identity {new!r} already: merge the two, or give another name")
            check_name(new)
            return desk.make(
                "rename",
                f"{old} is called {new}",
                names={old: new},
                images={old: len(views)},
                creates=new,
                pins=tuple(pins_of_unnamed(desk, views, new)),
            )

    def remove(self, target: str | Path, *, by: str | None = None, because: str | None = None) -> Correction:
        """Take an identity, or one picture, out of every answer; indexing does not bring it back, ``undo`` does.

        Args:
            target: an identity, or an image of the gallery by path or key.
            by: who says so.
            because: why.

        Raises:
            CorrectionError: if there is neither.
        """
        with at_desk(self._gallery, Author(by, because)) as desk:
            name = str(target)
            views = desk.targets.images_of(name) if desk.targets.is_identity(name) else [desk.targets.image(name)]
            return desk.make(
                "remove",
                f"{name} is in no answer",
                pins=tuple(Pin(view.key, view.path, view.identity, None, view.said) for view in views),
            )

    def history(self, identity: str | None = None) -> list[taking_back.PastEntry]:
        """Return the corrections, the latest last; see ``taking_back.history``."""
        return taking_back.history(self._gallery, identity)

    def undo(self, number: int | None = None, *, by: str | None = None, because: str | None = None) -> Correction:
        """Take a correction back, by default the last one that holds; see ``taking_back.undo``."""
        with at_desk(self._gallery, Author(by, because)) as desk:
            return taking_back.undo(desk, number)

    def restore(self, to: str, *, by: str | None = None, because: str | None = None) -> Correction:
        """Make the gallery what it was at a version, tag or time; see ``taking_back.restore``."""
        with at_desk(self._gallery, Author(by, because)) as desk:
            return taking_back.restore(desk, to)

    def tags(self) -> list[Tag]:
        """Return the named versions."""
        return taking_back.tags(self._gallery)

    def tag(self, name: str) -> Tag:
        """Name the gallery as it is now, so that cleaning up keeps it and ``restore`` finds it."""
        with at_desk(self._gallery, Author()) as desk:
            return taking_back.set_tag(desk.gallery.store.tables, name)

    def untag(self, name: str) -> None:
        """Forget a name."""
        with at_desk(self._gallery, Author()) as desk:
            taking_back.drop_tag(desk.gallery.store.tables, name)


def _keep_apart(desk: Desk, left: str, right: str) -> Correction:
    if left == right:
        raise CorrectionError(f"{left!r} cannot be kept apart from itself: name two identities")
    check_not_apart(desk, [left, right])
    return desk.make("reject", f"{left} is not {right}", kept_apart=((left, right),))
