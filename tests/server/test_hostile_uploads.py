"""Whatever is sent, the service refuses it with a problem and answers the next request."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import EVERY_FORMAT, chunk, png, png_header, sample
from served import Served, files, plain

from nearid_search.encoder import IdentityEncoder
from nearid_search.server.config import ServeConfig

Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def served(made_shop: Path, encoder: IdentityEncoder) -> Iterator[Served]:
    """A service that all of these are sent to."""
    one = Served.start(made_shop / "gallery", encoder, ServeConfig(max_upload="2M", read_only=True), {})
    yield one
    one.close()


def still_answers(served: Served) -> None:
    (answer,) = served.ask(plain()).json()["answers"]
    assert answer["matches"]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.txt", "x")
    return buffer.getvalue()


HOSTILE = {
    "nothing": b"",
    "text": b"hello",
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "postscript": b"%!PS\n(/etc/passwd) run",
    "pdf": b"%PDF-1.7",
    "zip": zipped(),
    "bomb": png_header(60_000, 60_000) + chunk(b"IDAT", b"x\x9c" + bytes(500)),
    "tall bomb": png_header(1, 2**31 - 1) + chunk(b"IDAT", b"x\x9c" + bytes(500)),
    "text bomb": png_header(8, 8) + chunk(b"zTXt", b"a\0\0" + b"x\x9c" + bytes(1000)),
    "truncated": plain()[:200],
    "no pixels": png(8, 8, b""),
    "jpeg that is html": b"\xff\xd8\xff\xe0<script>alert(1)</script>",
    "gif that is javascript": b"GIF89a/*\x00\x00*/=1;alert(1)//",
    "tiff that points outside": b"II*\x00\xff\xff\xff\x7f",
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_picture_is_refused(served: Served, name: str) -> None:
    refused = served.ask(HOSTILE[name])
    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    still_answers(served)


@pytest.mark.parametrize("tail", [b"<script>alert(1)</script>", zipped()], ids=["html", "zip"])
def test_a_picture_that_is_something_else_too_is_only_a_picture(serve: Serve, tail: bytes) -> None:
    served = serve()
    polyglot = plain() + tail
    done = served.client.post("/v1/identities/new/images", files=files(polyglot), data={"new": "true"}).json()
    key = done["pictures"][0]["key"]
    for path in (f"/v1/images/{key}", f"/v1/images/{key}/thumbnail"):
        shown = served.client.get(path)
        assert shown.headers["content-type"] == "image/jpeg"
        assert b"script" not in shown.content
        assert b"PK" not in shown.content[-200:]


@pytest.mark.parametrize("variant", EVERY_FORMAT)
def test_every_format_is_read_whatever_it_is_called(served: Served, variant: str) -> None:
    sent = [("images", ("notes.txt", sample(variant), "text/plain"))]
    assert served.client.post("/v1/query", files=sent).status_code == 200


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(EVERY_FORMAT), st.data())
def test_damaged_pictures_never_take_it_down(served: Served, variant: str, data: st.DataObject) -> None:
    damaged = bytearray(sample(variant))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(1, len(damaged)))
    assert served.ask(bytes(damaged[:cut])).status_code in (200, 422)


def test_an_upload_is_read_no_farther_than_it_may_be(served: Served) -> None:
    too_much = served.ask(bytes(3 * 2**20))
    assert (too_much.status_code, too_much.json()["title"]) == (413, "Content too large")
    assert "larger than the 2.0M that it may have: send fewer pictures at a time" in too_much.json()["detail"]
    boundary = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield boundary
        while sent < 100 * 2**20:
            sent += 2**16
            yield bytes(2**16)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = served.client.post("/v1/query", content=endless(), headers=headers)
    assert refused.status_code == 413
    still_answers(served)


def test_a_long_text_is_refused(served: Served) -> None:
    body = b'{"identity": "' + b"x" * 2**20 + b'", "to": "y"}'
    refused = served.client.post("/v1/corrections/rename", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 413


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 50_000 + b"\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 500_000 + b"\r\n\r\n--x--"),
        (
            "multipart/form-data; boundary=x",
            b"".join(b'--x\r\nContent-Disposition: form-data; name="k"\r\n\r\n1\r\n' for _ in range(5_000)) + b"--x--",
        ),
        ("multipart/mixed; boundary=x", b"--x--"),
        ("application/json", b"[" * 100_000),
        ("application/x-www-form-urlencoded", b"images=x"),
        ("\xff", b""),
    ],
)
def test_broken_bodies_are_refused(served: Served, kind: str, body: bytes) -> None:
    for path in ("/v1/query", "/v1/corrections/rename"):
        refused = served.client.post(path, content=body, headers={b"Content-Type": kind.encode("latin-1")})
        assert 400 <= refused.status_code < 500, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
    still_answers(served)
