"""Nobody holds a connection by being slow: real sockets that send byte by byte, send nothing, or do not read."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from served import listening

from nearid_search.encoder import IdentityEncoder
from nearid_search.server.config import ServeConfig
from nearid_search.server.connections import BoundedConnection
from nearid_search.server.service import Service

LIMIT = 0.5
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def address(made_shop: Path, encoder: IdentityEncoder) -> Iterator[str]:
    """A service with little patience."""
    service = Service(made_shop / "gallery", ServeConfig(time_limit=LIMIT, read_only=True), encoder=encoder)
    with listening(service) as found:
        yield found


@pytest.fixture
def caller(address: str) -> Iterator[socket.socket]:
    with connect(address) as found:
        yield found


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def drip(caller: socket.socket, data: bytes) -> bytes:
    """Send a byte at a time, the next before the last can have been too long ago; return what comes back."""
    caller.settimeout(LIMIT / 10)
    for number in range(1000):
        with contextlib.suppress(TimeoutError):
            return caller.recv(65_536)
        caller.send(data[number : number + 1] or b"a")
    raise AssertionError("it was waited for")


def answer(caller: socket.socket) -> bytes:
    """Receive an answer in JSON."""
    received = b""
    while not received.endswith(b"}"):
        received += caller.recv(65_536)
    return received


def test_a_head_that_comes_byte_by_byte_is_not_waited_for(address: str, caller: socket.socket) -> None:
    assert drip(caller, GET[:-4] + b"\r\nX: ").startswith(b"HTTP/1.1 408 ")
    assert httpx2.get(f"{address}/healthz").status_code == 200


def test_nor_is_one_after_a_first_request(caller: socket.socket) -> None:
    caller.sendall(GET)
    assert answer(caller).startswith(b"HTTP/1.1 200 ")
    assert drip(caller, GET[:-4] + b"\r\nX: ").startswith(b"HTTP/1.1 408 ")


def test_who_says_nothing_is_hung_up_on(caller: socket.socket) -> None:
    assert caller.recv(65_536) == b""


def test_a_body_that_nobody_reads_is_not_waited_for(caller: socket.socket) -> None:
    caller.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
    assert answer(caller).startswith(b"HTTP/1.1 404 ")
    with contextlib.suppress(ConnectionError):
        assert drip(caller, b"") == b""


def test_a_slow_request_that_ends_in_time_is_answered(caller: socket.socket) -> None:
    for part in (GET[:9], GET[9:30], GET[30:]):
        time.sleep(LIMIT / 10)
        caller.sendall(part)
    assert caller.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_who_does_not_read_the_answers_is_hung_up_on(address: str, caller: socket.socket) -> None:
    asked, size = 1_000, len(httpx2.get(f"{address}/static/page.css").content)
    with contextlib.suppress(ConnectionError):
        caller.sendall(b"GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * asked)
    time.sleep(3 * LIMIT)
    taken = 0
    with contextlib.suppress(ConnectionError):
        while data := caller.recv(2**20):
            taken += len(data)
    assert taken < asked * size


def test_one_connection_too_many_is_told_to_come_back(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "most", 2)
    with connect(address), connect(address), connect(address) as third:
        said = b"".join(iter(lambda: third.recv(65_536), b""))
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5" in said
    assert b'"status":503' in said
    time.sleep(0.1)
    assert httpx2.get(f"{address}/healthz").status_code == 200


def test_an_answer_is_sent_without_waiting_for_its_first_part_to_be_acknowledged(caller: socket.socket) -> None:
    """It would take the 40 ms after which the system of a caller that has nothing to say acknowledges."""
    seconds = []
    for _ in range(40):
        started = time.perf_counter()
        caller.sendall(GET)
        answer(caller)
        seconds.append(time.perf_counter() - started)
    assert min(seconds[20:]) < 0.03  # the first ones are acknowledged at once
