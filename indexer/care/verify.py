"""Look at every file of a gallery and say what is damaged and what ``repair`` would do; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from nearid_search.errors import GalleryCorruptError
from nearid_search.indexer.care.findings import Finding, Part, VerifyReport
from nearid_search.indexer.care.index_files import check_index
from nearid_search.indexer.care.small_files import (
    check_draft,
    check_head,
    check_log,
    check_manifest,
    check_measured,
    check_uploads,
)
from nearid_search.indexer.care.table_rows import TableRows
from nearid_search.indexer.care.table_sums import check_sums
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lance_panics import panics_as_errors
from nearid_search.indexer.location import locate_gallery, require_disk, require_gallery
from nearid_search.indexer.manifest import MANIFEST_NAME, Manifest, read_manifest
from nearid_search.indexer.store import GalleryStore

OnFile = Callable[[int, int], None]
OnFinding = Callable[[Finding], None]


def verify_gallery(
    gallery: str | Path | None = None,
    *,
    quick: bool = False,
    on_file: OnFile | None = None,
    on_finding: OnFinding | None = None,
) -> VerifyReport:
    """Look for damage.

    Args:
        gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        quick: only compare files with their sums; what rows hold is not looked at.
        on_file: told how many files of the tables have been compared, and of how many.
        on_finding: told of everything that is wrong, when it is found.

    Raises:
        ConfigError: if it is in an object store.
        GalleryNotFoundError: if there is no gallery.
        GalleryMismatchError: if a later version of this library wrote it.
    """
    folder = locate_gallery(Path(gallery) if gallery is not None else None)
    require_disk(folder, "gallery verify", remedy="the store checks its own objects")
    require_gallery(folder, exists=(folder / MANIFEST_NAME).exists())
    look = _Look(folder, quick, on_file or (lambda _done, _total: None))
    found = []
    for finding in look.findings():
        found.append(finding)
        if on_finding is not None:
            on_finding(finding)
    order = list(Part)
    found.sort(key=lambda finding: order.index(finding.part))
    return VerifyReport(str(folder), look.files, look.images, tuple(found))


class _Look:
    def __init__(self, folder: Path, quick: bool, on_file: OnFile) -> None:
        self._folder = folder
        self._quick = quick
        self._on_file = on_file
        self.files = sum(path.is_file() for path in folder.iterdir())
        self.images: int | None = None

    def findings(self) -> Iterator[Finding]:
        yield from check_manifest(self._folder)
        yield from check_log(self._folder)
        yield from check_uploads(self._folder)
        yield from check_draft(self._folder)
        yield from check_measured(self._folder)
        try:
            manifest = read_manifest(self._folder)
        except GalleryCorruptError:
            return  # which tables are in force is not known until that is mended
        if manifest is not None:
            yield from check_head(self._folder, manifest)
            yield from self._tables(manifest)

    def _tables(self, manifest: Manifest) -> Iterator[Finding]:
        compared = check_sums(self._folder, manifest.tables, on_file=self._on_file)
        self.files += compared.files
        yield from compared.findings
        broken = any(finding.part is Part.TABLES for finding in compared.findings)
        try:
            gallery = Gallery(self._folder, manifest, GalleryStore(self._folder / manifest.tables))
        except GalleryCorruptError as error:
            if not broken:
                yield Finding(Part.TABLES, manifest.tables, str(error).split(": ", 1)[0], _REMADE)
            return
        if not self._quick and not broken:
            rows = TableRows(gallery)
            yield from rows.check()
            self.images = rows.count
        yield from check_index(gallery, rows=not self._quick and not broken)
        yield from _tags(gallery)


def _tags(gallery: Gallery) -> Iterator[Finding]:
    try:
        with panics_as_errors():
            known = {int(found["version"]) for found in gallery.store.images.list_versions()}
            tags = gallery.store.images.tags.list()
    except (ValueError, RuntimeError, OSError):
        return
    for tag, facts in tags.items():
        if int(facts["version"]) not in known:
            what = f"names version {facts['version']}, which is not there"
            file = f"{gallery.manifest.tables}/images.lance/_refs/tags/{tag}.json"
            yield Finding(Part.PAST, file, what, f"set aside; the tag {tag} is forgotten")


_REMADE = "the tables are made again from what is left and from the pictures"
