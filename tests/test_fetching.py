"""Fetching from addresses: what is allowed, and what it may cost."""

import ipaddress
import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_server import Served, answer, picture_server, redirect, trickle, trickle_headers

from nearid_search.config import FetchConfig
from nearid_search.errors import ConfigError, UnreadableImageError
from nearid_search.fetching import fetch_picture, may_connect

LOOPBACK = FetchConfig(networks=("127.0.0.1/32",), pause=0.01, seconds=2.0)
PUBLIC = FetchConfig(retries=0)
PRIVATE = (
    "0.0.0.0",  # noqa: S104
    "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.8.9.1", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "2002:7f00:1::", "2002:c0a8:1::", "2001:0:7f00:1::", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "ff02::1",
    "fec0::1", "2001:db8::1",
)  # fmt: skip


@pytest.fixture
def served() -> Iterator[Served]:
    with picture_server() as found:
        yield found


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2002:0101:0101::"])
def test_a_public_address_is_not(address: str) -> None:
    assert may_connect(address)


@given(st.integers(0, 2**32 - 1))
def test_an_address_inside_another_is_judged_by_itself(number: int) -> None:
    inner = ipaddress.IPv4Address(number)
    for outer in (ipaddress.IPv6Address(0x64FF9B << 96 | number), ipaddress.IPv6Address(0x2002 << 112 | number << 80)):
        assert may_connect(str(inner)) or not may_connect(str(outer))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_no_spelling_of_loopback_is_connected_to(served: Served, host: str) -> None:
    served.pictures["1.png"] = b"secret"
    with pytest.raises(UnreadableImageError, match="no public address"):
        fetch_picture(served.url("1.png", host), PUBLIC)
    assert not served.asked


@pytest.mark.parametrize(
    "url", ["ftp://h/1", "file:///etc/passwd", "http:///1", "http://u:p@h/1", "http://h:99999/", "//h/1", "http://[1"]
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(UnreadableImageError, match=r"scheme|host|address"):
        fetch_picture(url, LOOPBACK)


def test_a_redirect_to_a_private_address_is_not_followed(served: Served) -> None:
    served.pictures["1.png"] = b"secret"
    served.behaviours["away"] = redirect(f"http://127.0.0.2:{served.port}/1.png")
    with pytest.raises(UnreadableImageError, match=r"127\.0\.0\.2, which is no public address"):
        fetch_picture(served.url("away"), LOOPBACK)
    served.behaviours["file"] = redirect("file:///etc/passwd")
    with pytest.raises(UnreadableImageError, match="file scheme"):
        fetch_picture(served.url("file"), LOOPBACK)
    assert not served.asked["1.png"]


def test_a_name_that_resolves_otherwise_later_is_connected_to_as_judged(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver says an allowed address first and a forbidden one ever after: only the first is used."""
    served.pictures["1.png"] = b"picture"
    said = iter(["127.0.0.1"])
    true_lookup = socket.getaddrinfo

    def rebinding(_: str, port: int, *args: object, **kwargs: object) -> object:
        return true_lookup(next(said, "127.0.0.66"), port, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    found = fetch_picture(f"http://rebinding.example:{served.port}/1.png", LOOPBACK)
    assert found is not None
    assert found.data == b"picture"
    with pytest.raises(UnreadableImageError, match=r"127\.0\.0\.66, which is no public address"):
        fetch_picture(f"http://rebinding.example:{served.port}/1.png", LOOPBACK)


def test_a_picture_comes_with_what_its_server_calls_it(served: Served) -> None:
    served.pictures["ä b.png"] = b"data"
    served.pictures["%C3%A4%20b.png"] = b"data"
    first = fetch_picture(served.url("ä b.png"), LOOPBACK)
    assert first is not None
    assert first.data == b"data"
    assert fetch_picture(served.url("ä b.png"), LOOPBACK, etag=first.etag) is None
    served.behaviours["hop"] = redirect("/%C3%A4%20b.png")
    assert fetch_picture(served.url("hop"), LOOPBACK) == first


def test_bounds_hold(served: Served) -> None:
    small = FetchConfig(networks=LOOPBACK.networks, max_bytes=1_000, seconds=0.5, retries=0, redirects=2)
    served.pictures["big"] = bytes(1_001)
    served.behaviours["unsaid"] = answer(200, bytes(5_000))
    served.behaviours["round"] = redirect("/round")
    served.behaviours["packed"] = answer(200, b"x", Content_Encoding="gzip", Content_Length="1")
    served.behaviours["short"] = answer(200, b"x", Content_Length="100")
    served.behaviours["empty"] = answer(200, Content_Length="0")
    served.behaviours |= {"slow": trickle, "slow-header": trickle_headers}
    reasons = {
        "big": "too large", "unsaid": "too large", "round": "more than 2 redirects", "packed": "packs the content",
        "short": "IncompleteRead|ended before", "empty": "empty file", "slow": "took longer|too large",
        "slow-header": "took longer", "missing": "404",
    }  # fmt: skip
    for path, reason in reasons.items():
        started = time.monotonic()
        with pytest.raises(UnreadableImageError, match=reason):
            fetch_picture(served.url(path), small)
        assert time.monotonic() - started < 3
    assert served.asked["round"] == 3


def test_only_what_may_pass_is_tried_again_and_not_for_ever(served: Served) -> None:
    served.behaviours |= {"busy": answer(503), "forbidden": answer(403)}
    for path, tries in (("busy", 3), ("forbidden", 1)):
        with pytest.raises(UnreadableImageError, match="the server answers"):
            fetch_picture(served.url(path), LOOPBACK)
        assert served.asked[path] == tries


def test_a_bound_out_of_range_is_refused() -> None:
    for wrong in ({"max_bytes": 0}, {"seconds": 0}, {"connections": 0}, {"redirects": -1}):
        with pytest.raises(ConfigError, match="must be"):
            FetchConfig(**wrong)  # type: ignore[arg-type]
