"""The command itself: it says when it is ready, stops as it is told, and is careful about whom it serves."""

import contextlib
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from served import files, plain
from serving_process import serving_process

from nearid_search.cli.app import run
from nearid_search.server.config import ServeConfig


def test_it_answers_and_ends_what_it_has_begun(shop: Path) -> None:
    """Stopped while many ask, it answers all that it took, and exits as if nothing had been wrong."""
    with serving_process(shop / "gallery", "--batch-size", "2") as (running, address):
        picture = plain()
        taken = threading.Semaphore(0)

        def ask(_: int) -> int:
            with httpx2.Client(base_url=address, timeout=60) as client:
                client.get("/healthz")
                taken.release()
                return client.post("/v1/query", files=files(*[picture] * 4)).status_code

        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(ask, number) for number in range(4)]
            for _ in asked:
                assert taken.acquire(timeout=60)
            time.sleep(0.3)  # all are being received, or wait for the encoder
            running.send_signal(signal.SIGTERM)
            assert [one.result() for one in asked] == [200] * 4
        assert running.wait(60) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""


def test_it_refuses_what_is_too_much_and_recovers(shop: Path) -> None:
    options = ("--batch-size", "1", "--queue", "2", "--max-images", "2")
    with (
        serving_process(shop / "gallery", *options) as (_, address),
        httpx2.Client(base_url=address, timeout=60) as client,
    ):
        large = files(plain(900, 900))

        def ask(_: int) -> httpx2.Response:
            return client.post("/v1/query", files=large)

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(ask, range(36)))
        busy = [answer for answer in answers if answer.status_code == 503]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in busy)
        assert {answer.json()["type"] for answer in busy} == {"urn:nearid-search:problem:service-busy"}
        assert ask(0).status_code == 200
        assert "nearid_queue_pictures 0.0" in client.get("/metrics").text


def test_behind_a_token_no_bytes_do_it_harm(shop: Path) -> None:
    secret = "0123456789abcdef"
    options = ("--host", "0.0.0.0", "--time-limit", "1")  # noqa: S104
    with serving_process(shop / "gallery", *options, NEARID_TOKEN=secret) as (_, found):
        address = found.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        host, port = address.removeprefix("http://").split(":")
        assert httpx2.get(f"{address}/v1/identities").status_code == 401
        assert httpx2.get(f"{address}/v1/identities", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
        requests = (
            b"\x16\x03\x01" + bytes(300),
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
            b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
            b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        )
        for request in requests:
            assert reply_to(host, int(port), request).startswith((b"HTTP/1.1 4", b""))
        # One that never ends its body is not waited for.
        slow = b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        slow += b"Authorization: Bearer 0123456789abcdef\r\n"
        assert b" 408 " in reply_to(host, int(port), slow + b"Content-Length: 1000\r\n\r\n--x\r\n")
        assert httpx2.get(f"{address}/healthz").json() == {"status": "ok"}


def reply_to(host: str, port: int, request: bytes) -> bytes:
    with socket.create_connection((host, port), timeout=30) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request)
            return connection.recv(65_536)
        return b""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "there is no token"),  # noqa: S104
        (["--token-file", "nothing"], "cannot read the tokens in nothing"),
        (["--queue", "2", "--max-images", "3"], "queue must hold the 3 pictures"),
        (["--max-upload", "much"], "no amount of memory"),
        (["--gallery", "nothing"], "no gallery at"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(
    shop: Path,
    options: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(shop)
    monkeypatch.delenv("NEARID_TOKEN", raising=False)
    assert run(["serve", "--gallery", "gallery", "--port", "0", *options]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert words in " ".join(printed.split())


def test_a_port_that_is_taken_is_said(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", "--gallery", str(shop / "gallery"), "--port", str(port)]) == 1
    assert f"cannot listen at 127.0.0.1, port {port}" in capsys.readouterr().err


def test_a_missing_extra_is_named(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "uvicorn" else find(name, *rest)
    )
    assert run(["serve", "--gallery", str(shop / "gallery")]) == 1
    assert "pip install 'nearid-search[serve]'" in " ".join(capsys.readouterr().err.split())


def test_the_command_has_the_defaults_of_the_configuration() -> None:
    import inspect

    from nearid_search.cli.serve import serve

    parameters = inspect.signature(serve).parameters
    named = {name: parameters[name].default for name in ServeConfig.__dataclass_fields__ if name in parameters}
    assert named == {name: getattr(ServeConfig(), name) for name in named}
    assert set(ServeConfig.__dataclass_fields__) - set(named) == {"allow_hosts", "refresh_every"}
