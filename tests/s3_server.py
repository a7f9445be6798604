"""A real S3 server on loopback, in a process of its own, that says what it was asked."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

SECRET = "not-to-be-seen"
"""What the tests sign their requests with."""

_ADDRESS = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
_REQUEST = re.compile(r"(GET|PUT|HEAD|POST|DELETE) (\S+) HTTP")  # what was refused stands between colours


class S3Server:
    """A running server.

    Attributes:
        address: where it listens.
    """

    def __init__(self, address: str, log: IO[str]) -> None:
        self.address = address
        self._lines: list[str] = []
        self._grown = threading.Condition()
        self._numbers = itertools.count()
        threading.Thread(target=self._read, args=(log,), daemon=True).start()

    def _read(self, log: IO[str]) -> None:
        for line in log:
            with self._grown:
                self._lines.append(line)
                self._grown.notify_all()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a user names it and signs requests."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        self._send(f"/{name}", "PUT")

    @contextmanager
    def asked(self) -> Iterator[list[str]]:
        """Collect what the server is asked while the block runs, each as method and path; complete at its end."""
        start, found = self._mark(), list[str]()
        yield found
        end = self._mark()
        for line in self._lines[start + 1 : end]:
            request = _REQUEST.search(line)
            if request is not None:
                found.append(f"{request[1]} {request[2]}")

    def _mark(self) -> int:
        """Return the place in the log of a request made now: whatever was answered before stands before it."""
        name = f"/moto-api/mark-{next(self._numbers)} "
        with suppress(urllib.error.HTTPError):  # there is no such place
            self._send(name.strip(), "GET")
        with self._grown:
            assert self._grown.wait_for(lambda: any(name in line for line in self._lines), 10)
            return next(place for place, line in enumerate(self._lines) if name in line)

    def _send(self, path: str, method: str) -> None:
        request = urllib.request.Request(f"{self.address}{path}", method=method)  # noqa: S310  (http on loopback)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start one, and stop it."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = next(found[1] for line in process.stderr if (found := _ADDRESS.search(line)))
            yield S3Server(address, process.stderr)
        finally:
            process.kill()
