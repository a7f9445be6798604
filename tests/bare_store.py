"""A store of objects that knows nothing of conditions, or refuses everything."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def bare_store(*, status: int = 200, code: str = "") -> Iterator[str]:
    """Answer on loopback; yields the address.

    Args:
        status: of every answer; 200 takes whatever is written.
        code: S3's word for another status.
    """
    objects: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            objects[self.path] = self.rfile.read(int(self.headers["Content-Length"] or 0))
            self._answer(objects[self.path])

        def do_GET(self) -> None:
            self._answer(objects.get(self.path, b""))

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, content: bytes) -> None:
            body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
            self.send_response(status)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_port}"
        finally:
            served.shutdown()
            thread.join()
