"""The gallery that answers: replaced in the background by what other processes, or this one, have written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryLockedError, NearIDError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.gallery_stamp import gallery_stamp
from nearid_search.indexer.in_force import open_in_force
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.search.index_refresh import refresh_search, would_extend
from nearid_search.object_storage.path import ObjectPath
from nearid_search.server.snapshot import Snapshot

_log = logging.getLogger(__name__)

STORE_SECONDS = 10.0
"""The least between two looks at a gallery in an object store, where a look is a dozen requests that are paid for."""

OpenEngine = Callable[[Gallery, ImageEncoder | None], SearchEngine]
OnRefresh = Callable[[str], None]


class LiveGallery:
    """A gallery that is looked at again and again; the last state that could be opened answers.

    Args:
        gallery: the gallery.
        open_engine: opens an engine, with an encoder that is open already if it is given and still fits.
        every: seconds between two looks; at least ``STORE_SECONDS`` where the gallery is in an object store.
        encoder: the gallery's, if it is open already.
        mend_index: whether a search index that has fallen behind is brought up to date here.
        on_refresh: told "opened" or "failed" after each try to open the gallery anew.
    """

    def __init__(
        self,
        gallery: Gallery,
        open_engine: OpenEngine,
        *,
        every: float,
        mend_index: bool,
        encoder: ImageEncoder | None = None,
        on_refresh: OnRefresh,
    ) -> None:
        self.folder = gallery.folder
        self._open_engine, self._mend_index, self._on_refresh = open_engine, mend_index, on_refresh
        self._every = max(every, STORE_SECONDS) if isinstance(gallery.folder, ObjectPath) else every
        self._opening = threading.Lock()
        self._stopped = threading.Event()
        self._current = self._opened(encoder)
        self._failed: tuple[object, ...] | None = None
        self._thread = threading.Thread(target=self._watch, name="live-gallery", daemon=True)
        self._thread.start()

    @property
    def current(self) -> Snapshot:
        """The state that answers now."""
        return self._current

    def refresh(self) -> Snapshot:
        """Open the gallery anew if it was written to; whoever has just written calls this to be answered from that.

        Raises:
            NearIDError: if it cannot be opened; the former state goes on answering.
        """
        with self._opening:
            stamp = gallery_stamp(self.folder)
            if stamp == self._current.stamp:
                return self._current
            try:
                self._current = self._opened(self._current.engine.held_encoder)
            except Exception:
                self._failed = stamp
                self._on_refresh("failed")
                raise
            self._on_refresh("opened")
            return self._current

    def _opened(self, encoder: ImageEncoder | None) -> Snapshot:
        # The stamp is older than what is opened: what is written in between is seen at the next look.
        return open_in_force(self.folder, lambda opened, stamp: Snapshot(self._open_engine(opened, encoder), stamp))

    def close(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        told = ""
        while not self._stopped.wait(self._every):
            try:
                self._look()
                told = ""
            except GalleryLockedError:
                pass  # whoever writes brings the index up to date, or the next look does
            except Exception as error:  # noqa: BLE001  (a fault here must not end the watch)
                if str(error) != told:
                    told = str(error)
                    ours = isinstance(error, NearIDError)
                    _log.warning("the gallery's former state answers: %s", error, exc_info=None if ours else error)

    def _look(self) -> None:
        """Follow what was written; a state that could not be followed is not tried again."""
        stamp = gallery_stamp(self.folder)
        if stamp == self._failed:
            return
        if stamp != self._current.stamp:
            self.refresh()
        snapshot = self._current
        if self._mend_index and would_extend(snapshot.rows_beside_the_index, len(snapshot.engine.rows)):
            self._extend_index(stamp)

    def _extend_index(self, stamp: tuple[object, ...]) -> None:
        with writer_lock(self.folder):
            try:
                gallery = Gallery.open(self.folder)
                refresh_search(gallery, gallery.manifest.search)
            except NearIDError:
                self._failed = stamp
                raise
        self.refresh()
