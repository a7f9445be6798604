"""A server of pictures on loopback that can misbehave, and counts what it is asked."""

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What a server gives, by path, and how often each was asked for.

    Attributes:
        port: where it listens, on 127.0.0.1.
        scheme: "http", or "https" if it has a certificate.
        pictures: content by path, without the first slash.
        behaviours: what to do instead of serving, by path.
        asked: number of requests a path.
        sent: number of times the content went out.
    """

    port: int = 0
    scheme: str = "http"
    pictures: dict[str, bytes] = field(default_factory=dict)
    behaviours: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a path."""
        return f"{self.scheme}://{host}:{self.port}/{path}"


@contextmanager
def picture_server(encrypted: ssl.SSLContext | None = None) -> Iterator[Served]:
    """Serve until the context ends; ``encrypted``: what the server proves itself with."""
    served = Served(scheme="http" if encrypted is None else "https")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.removeprefix("/")
            served.asked[path] += 1
            if path in served.behaviours:
                served.behaviours[path](self)
            elif path not in served.pictures:
                self.send_error(404)
            else:
                self._send(path, served.pictures[path])

        def _send(self, path: str, data: bytes) -> None:
            etag = f'"{hash(data)}"'
            if self.headers.get("If-None-Match") == etag:
                self.send_response(304)
                self.end_headers()
                return
            served.sent[path] += 1
            self.send_response(200)
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if encrypted is not None:
        server.socket = encrypted.wrap_socket(server.socket, server_side=True)
    served.port = server.server_address[1]
    # It stops at the next look, every half second unless told otherwise.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def redirect(to: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Send the caller elsewhere."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with a status, and headers whose names are written with underscores."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return behave


def trickle(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)
    except OSError:
        pass


def trickle_headers(handler: BaseHTTPRequestHandler) -> None:
    """Begin a header and never end it."""
    handler.close_connection = True
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)
    except OSError:
        pass
