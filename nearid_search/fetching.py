"""Fetch a picture from an address that a stranger may have written.

Only public addresses are connected to. A name is resolved once a hop, its numbers are judged, and the connection goes
to one that was judged, so a name that resolves to something else a moment later changes nothing. Proxies of the
environment are not used: they would resolve names anew.
"""

from __future__ import annotations

import http.client
import ipaddress
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from nearid_search.config import FetchConfig
from nearid_search.errors import UnreadableImageError

_PORTS = {"http": 80, "https": 443}
_PIECE = 1 << 16
_URL_CHARACTERS = 8_192
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_AGENT = "nearid-search"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Fetched(NamedTuple):
    """What an address gave.

    Attributes:
        data: at least one byte.
        etag: what the server calls this content; None if it does not say.
        modified_ns: time of last modification, nanoseconds; 0 if it does not say.
    """

    data: bytes
    etag: str | None
    modified_ns: int


class _RefusedError(Exception):
    """A reason that another try cannot change."""


class _PassingError(Exception):
    """A reason that may be gone in a moment."""


def fetch_picture(url: str, config: FetchConfig, *, etag: str | None = None) -> Fetched | None:
    """Fetch the content of an address.

    Args:
        url: ``http`` or ``https``.
        config: the bounds.
        etag: what the server called the content that is known; None if there is none.

    Returns:
        The content; None if the server says that it is the known one.

    Raises:
        UnreadableImageError: if it is refused, or cannot be had within the bounds.
    """
    deadline = time.monotonic() + config.seconds
    reason = ""
    for attempt in range(config.retries + 1):
        if attempt:
            pause = config.pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311  (no secret)
            if time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
        try:
            return _follow(url, config, etag, deadline)
        except _RefusedError as error:
            raise UnreadableImageError(url, str(error)) from error
        except _PassingError as error:
            reason = str(error)
    raise UnreadableImageError(url, f"cannot be fetched: {reason}")


def _follow(url: str, config: FetchConfig, etag: str | None, deadline: float) -> Fetched | None:
    for _ in range(config.redirects + 1):
        found = _ask(url, config, etag, deadline)
        if not isinstance(found, str):
            return found
        url = found
    raise _RefusedError(f"more than {config.redirects} redirects")


def _ask(url: str, config: FetchConfig, etag: str | None, deadline: float) -> Fetched | str | None:
    """Return the content, the address that the server names instead, or None for the known content."""
    parts = _parsed(url)
    target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    headers = {"User-Agent": _AGENT, "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
    try:
        connection = _connect(parts, config, deadline)
        with closing(connection), _closed_at(deadline, connection.sock):
            connection.request("GET", target, headers=headers | ({"If-None-Match": etag} if etag else {}))
            with connection.getresponse() as response:
                if response.status in (301, 302, 303, 307, 308):
                    return urljoin(url, response.getheader("Location") or "")
                if response.status == http.client.NOT_MODIFIED and etag:
                    return None
                _check_status(response)
                data = _read(response, config, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= deadline:
            raise _PassingError(f"took longer than {config.seconds:g} s") from error
        if isinstance(error, ssl.SSLCertVerificationError | http.client.InvalidURL):
            raise _RefusedError(str(error)) from error
        raise _PassingError(str(error) or type(error).__name__) from error
    return Fetched(data, response.getheader("ETag"), _modified_ns(response.getheader("Last-Modified")))


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for a port out of range)
    except ValueError as error:
        raise _RefusedError(f"no address: {error}") from error
    if parts.scheme not in _PORTS:
        raise _RefusedError(f"{parts.scheme or 'no'} scheme: only http and https are fetched")
    if not parts.hostname or parts.username is not None or len(url) > _URL_CHARACTERS:
        raise _RefusedError("an address needs a host, no user name, and at most 8,192 characters")
    return parts


def _connect(parts: SplitResult, config: FetchConfig, deadline: float) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise _PassingError(f"host {host} is not found") from error
    allowed = [each for each in found if may_connect(str(each[4][0]), config.networks)]
    if not allowed:
        raise _RefusedError(f"host {host} is {found[0][4][0]}, which is no public address")
    failed = OSError("no address")
    for family, kind, protocol, _, address in allowed:
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(max(0.01, min(config.connect_seconds, deadline - time.monotonic())))
            connected.connect(address)
            connected.settimeout(max(0.01, deadline - time.monotonic()))
            if parts.scheme == "https":
                with _closed_at(deadline, connected):
                    connected = ssl.create_default_context().wrap_socket(connected, server_hostname=host)
        except OSError as error:
            connected.close()
            failed = error
            continue
        connection = http.client.HTTPConnection(host, port)
        connection.sock, connection.auto_open = connected, 0  # the very address that was judged, and no other
        if port == _PORTS[parts.scheme]:
            connection.port = http.client.HTTP_PORT  # left out of the header Host
        return connection
    raise failed


def may_connect(address: str, networks: tuple[str, ...] = ()) -> bool:
    """Say whether an address is public, or in a network that is allowed although it is not.

    Args:
        address: numbers as the resolver gives them; an IPv6 address may carry another inside.
        networks: such as "127.0.0.0/8".

    Example:
        >>> [may_connect(address) for address in ("93.184.216.34", "127.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0")]
        [True, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if any(found in ipaddress.ip_network(network) for network in networks):
        return True
    return all(_is_public(each) for each in (found, *_carried(found)))


def _is_public(address: Address) -> bool:
    special = address.is_multicast or address.is_reserved or address.is_loopback or address.is_link_local
    local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not special and not address.is_unspecified and not local


def _carried(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo and NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    yield from filter(None, (address.ipv4_mapped, address.sixtofour))
    yield from address.teredo or ()
    if address in ipaddress.ip_network("64:ff9b::/96"):
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


@contextmanager
def _closed_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """Cut a connection off at a moment: a server that sends a byte now and then never runs into a timeout."""

    def cut() -> None:
        with suppress(OSError):  # it is closed already
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check_status(response: http.client.HTTPResponse) -> None:
    if response.status == http.client.OK:
        return
    said = f"the server answers {response.status} {response.reason}"
    if response.status >= http.client.INTERNAL_SERVER_ERROR or response.status in (408, 425, 429):
        raise _PassingError(said)
    raise _RefusedError(said)


def _read(response: http.client.HTTPResponse, config: FetchConfig, deadline: float) -> bytes:
    if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
        raise _RefusedError("the server packs the content, which was not asked for")
    too_large = f"too large: more than {config.max_bytes:,} bytes"
    if (response.length or 0) > config.max_bytes:
        raise _RefusedError(too_large)
    data = bytearray()
    while piece := response.read1(_PIECE):
        data += piece
        if len(data) > config.max_bytes:
            raise _RefusedError(too_large)
    if time.monotonic() >= deadline:
        raise OSError("cut off")
    if response.length:
        raise OSError("the connection ended before the content did")
    if not data:
        raise _RefusedError("empty file: zero bytes")
    return bytes(data)


def _modified_ns(said: str | None) -> int:
    try:
        return int(parsedate_to_datetime(said).timestamp()) * 10**9 if said else 0
    except (ValueError, TypeError, OverflowError):
        return 0
