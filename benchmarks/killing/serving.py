"""The service, killed while somebody enrols and corrects over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from killing.cases import Case, Told
from killing.gallery_state import log_of
from killing.process import Watched
from killing.shop import EXAMPLES, WHO, Shop, Shops, succeed
from nearid_search.client import Client, CorrectionMade
from nearid_search.errors import ServiceError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.gallery import Gallery

_READY = "serving http"


class Request(NamedTuple):
    """A correction, as it is sent to the service and as the library makes it itself.

    Attributes:
        send: makes it over HTTP.
        make: makes it in this process.
        enrols: SHA-256 of the picture that comes in with it; None for no picture.
    """

    send: Callable[[Client], object]
    make: Callable[[Gallery, ImageEncoder], object]
    enrols: str | None = None


def _enrol(picture: str, identity: str, *, new: bool = False) -> Request:
    data = (EXAMPLES / "catalog" / picture).read_bytes()

    def make(gallery: Gallery, encoder: ImageEncoder) -> object:
        return gallery.corrections.enrol(data, identity, name=picture, new=new, encoder=encoder, by=WHO)

    key = hashlib.sha256(data).hexdigest()
    return Request(lambda client: client.enrol(identity, [data], new=new), make, key)


REQUESTS = (
    _enrol("teddy-bear/1.jpg", "bear", new=True),
    _enrol("teddy-bear/2.jpg", "bear"),
    Request(
        lambda client: client.reject("catalog/vase-blue/2.jpg", "vase-blue"),
        lambda gallery, _: gallery.corrections.reject("catalog/vase-blue/2.jpg", "vase-blue", by=WHO),
    ),
    Request(
        lambda client: client.merge(["kettle-green", "kettle-red"], into="kettle-red"),
        lambda gallery, _: gallery.corrections.merge(["kettle-green", "kettle-red"], into="kettle-red", by=WHO),
    ),
    _enrol("radio-cream/1.jpg", "kettle-red"),
    Request(lambda client: client.undo(), lambda gallery, _: gallery.corrections.undo(by=WHO)),
    Request(
        lambda client: client.remove("vase-blue"), lambda gallery, _: gallery.corrections.remove("vase-blue", by=WHO)
    ),
    Request(lambda client: client.undo(), lambda gallery, _: gallery.corrections.undo(by=WHO)),
    Request(
        lambda client: client.rename("bear", "teddy"),
        lambda gallery, _: gallery.corrections.rename("bear", "teddy", by=WHO),
    ),
)


class Serving(Case):
    """``nearid-search serve`` while one client corrects, each request sent when the one before is answered."""

    name = "serve"
    # The service adds to the search index in the background, when it gets to it; what is answered is compared.
    not_compared = frozenset({"index"})

    def start(self, shops: Shops) -> Shop:
        """Return an indexed catalogue."""
        return shops.indexed

    def command(self, shop: Shop) -> Sequence[str]:
        """Return the command."""
        return ["-m", "nearid_search", "serve", "--gallery", str(shop.gallery), "--port", "0"]

    def drive(self, run: Watched, shop: Shop) -> Told:  # noqa: ARG002  (as of ``Case``)
        """Send the requests until one is not answered; an answered one has been acknowledged."""
        told = Told()
        ready = run.wait_for(_READY)
        if ready is None:
            return told
        with Client(ready.split()[-1], author=WHO) as client:
            for request in REQUESTS:
                try:
                    made = request.send(client)
                except ServiceError:
                    break
                told.done += 1
                entry = made[0] if isinstance(made, list) else made
                if not isinstance(entry, CorrectionMade) or entry.entry != told.done:
                    told.faults.append(f"request {told.done} was answered with {made}")
        return told

    def look(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """Find every acknowledged correction in the log, and every enrolled picture in the tables."""
        made = len(log_of(shop.gallery))
        if not told.done <= made <= told.done + 1:
            told.faults.append(f"{told.done} corrections were acknowledged, the log has {made}")
        images = Gallery.open(shop.gallery).store.image_table([])
        keys = set(images.column("key").to_pylist())
        undone = REQUESTS[4].enrols if told.done > 5 or made > 5 else None
        for number, request in enumerate(REQUESTS[: told.done], start=1):
            if request.enrols not in (None, undone) and request.enrols not in keys:
                told.faults.append(f"the picture of entry {number} was acknowledged and is not there")

    def go_on(self, told: Told, shop: Shop, shops: Shops) -> None:  # noqa: ARG002  (as of ``Case``)
        """Make the corrections that are not in the log, and index again."""
        gallery = Gallery.open(shop.gallery)
        for request in REQUESTS[len(log_of(shop.gallery)) :]:
            request.make(gallery, shops.encoder)
        succeed(shop.index())  # ends a last correction that is in the log alone, and deletes what is left over
