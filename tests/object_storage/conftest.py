"""A real S3 server, and a place for a gallery in it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from s3_server import S3Server, s3_server

from nearid_search.object_storage.path import ObjectPath, object_path

BUCKET = "things"
_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    """One server for all tests of this folder."""
    pytest.importorskip("obstore")
    with s3_server() as started:
        started.make_bucket(BUCKET)
        yield started


@pytest.fixture
def s3(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, as the environment of a user names it; what is kept of it goes to a folder of the test."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    return server


@pytest.fixture
def folder(s3: S3Server) -> ObjectPath:  # noqa: ARG001  (it must run)
    """An address where nothing is yet."""
    found = object_path(f"s3://{BUCKET}/shop-{next(_numbers)}/gallery")
    assert found is not None
    return found
