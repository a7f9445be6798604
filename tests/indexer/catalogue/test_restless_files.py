"""Pictures that change, vanish or cannot be looked at during a run: named and counted, and the next run heals."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogues import MakeCatalogue

from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import UnreadableImageError
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.build import Progress, index_catalogue
from nearid_search.indexer.catalogue.plan import make_plan
from nearid_search.indexer.catalogue.scan import Scan
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.rows import FileRecord
from nearid_search.reports import IndexReport

ONE_BY_ONE = IndexConfig(batch_size=1, decoders=1)
Index = Callable[..., IndexReport]


@pytest.fixture
def index(tmp_path: Path, encoder: IdentityEncoder) -> Index:
    def run(folder: Path, gallery: str = "gallery", **options: Any) -> IndexReport:
        return index_catalogue(folder, gallery=tmp_path / gallery, encoder=encoder, config=ONE_BY_ONE, **options)

    return run


def rows(gallery: Path) -> list[tuple[Any, ...]]:
    table = Gallery.open(gallery).store.image_table(["key", "path", "identity"])
    return [tuple(row.values()) for row in table.to_pylist()]


def test_files_that_vanish_during_a_run_are_named_and_come_back(
    index: Index, catalogue: MakeCatalogue, tmp_path: Path
) -> None:
    """What comes back has the size and time it had, so only the failure says that it must be read."""
    folder = catalogue({f"a/{number}.png": number for number in range(8)})
    lost = folder / "a/7.png"
    content, status = lost.read_bytes(), lost.stat()

    def vanish(progress: Progress) -> None:
        if progress.done == 1:
            lost.unlink()

    report = index(folder, on_progress=vanish)
    assert [(Path(failure.path).name, failure.error) for failure in report.failures] == [("7.png", "no such file")]
    assert (report.added, report.images) == (7, 7)
    lost.write_bytes(content)
    os.utime(lost, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = index(folder)
    assert (again.added, again.unchanged, again.failures) == (1, 7, ())
    index(folder, "fresh")
    assert rows(tmp_path / "gallery") == rows(tmp_path / "fresh")


def test_files_that_are_rewritten_during_a_run_are_right_after_the_next(
    index: Index, catalogue: MakeCatalogue, tmp_path: Path
) -> None:
    folder = catalogue({f"a/{number}.png": number for number in range(12)})
    contents = {path: path.read_bytes() for path in sorted(folder.rglob("*.png"))}
    stopped = threading.Event()

    def rewrite() -> None:
        rng = np.random.default_rng(0)
        while not stopped.is_set():
            path = list(contents)[int(rng.integers(len(contents)))]
            if rng.random() < 0.3:
                path.unlink(missing_ok=True)
            with path.open("wb") as file:
                half = len(contents[path]) // 2
                file.write(contents[path][:half])
                file.flush()
                stopped.wait(0.001)
                file.write(contents[path][half:])

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        reports = [index(folder) for _ in range(3)]
    finally:
        stopped.set()
        writer.join()
    for report in reports:
        assert all("\n" not in failure.error for failure in report.failures)
    assert index(folder).failures == ()
    index(folder, "fresh")
    assert rows(tmp_path / "gallery") == rows(tmp_path / "fresh")


def read_often(path: Path) -> None:
    for _ in range(1_000):
        read_file(path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "growing.jpg"
    path.write_bytes(bytes(2**20))
    stopped = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stopped.is_set():
                file.write(b"x")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(UnreadableImageError, match="was changed while it was read: give the command again") as seen:
            read_often(path)
    finally:
        stopped.set()
        writer.join()
    assert seen.value.passing
    assert len(read_file(path)) == path.stat().st_size


def test_a_clock_that_was_put_back_hides_no_change(index: Index, catalogue: MakeCatalogue) -> None:
    """Same size, older time: cameras that write BMP make files of one size only."""
    folder = catalogue({"a/1.bmp": 1, "a/2.bmp": 2})
    index(folder)
    path = folder / "a/1.bmp"
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(bytes(content))
    os.utime(path, ns=(0, before.st_mtime_ns - 3_600 * 10**9))
    report = index(folder)
    assert (path.stat().st_size, report.updated, report.unchanged) == (before.st_size, 1, 1)


def test_a_picture_that_cannot_be_looked_at_keeps_its_row(
    index: Index, catalogue: MakeCatalogue, tmp_path: Path
) -> None:
    folder = catalogue({"a/1.png": 1, "a/2.png": 2})
    index(folder)
    before = rows(tmp_path / "gallery")
    (folder / "a/1.png").rename(folder / "kept")
    (folder / "a/1.png").symlink_to("1.png")
    report = index(folder)
    assert [(failure.path, failure.error) for failure in report.failures] == [
        ("a/1.png", "cannot be looked at: Too many levels of symbolic links")
    ]
    assert (report.removed, report.images) == (0, 2)
    (folder / "kept").replace(folder / "a/1.png")
    again = index(folder)
    assert (again.added, again.removed, again.failures) == (0, 0, ())
    assert rows(tmp_path / "gallery") == before


@pytest.mark.parametrize(
    ("hidden", "gone"),
    [
        ([], ["a/1.png", "a/b/2.png", "ab/3.png"]),
        (["a/"], ["ab/3.png"]),
        (["a/b/"], ["a/1.png", "ab/3.png"]),
        (["ab/3.png"], ["a/1.png", "a/b/2.png"]),
        ([""], []),
    ],
)
def test_what_a_closed_folder_holds_is_not_gone(hidden: list[str], gone: list[str]) -> None:
    scan = Scan([], [], 0, hidden=hidden)
    ledger = [FileRecord(path, 1, 1, path, None) for path in ("a/1.png", "a/b/2.png", "ab/3.png")]
    plan = make_plan(
        [],
        ledger,
        stored=str,
        owns=lambda _: True,
        may_be_there=scan.may_hold,
        content_keys=lambda files: [None for _ in files],
    )
    assert [record.path for record in plan.gone] == gone
    assert sorted(record.path for record in [*plan.gone, *plan.hidden]) == ["a/1.png", "a/b/2.png", "ab/3.png"]
