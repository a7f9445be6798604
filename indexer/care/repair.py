"""Mend what can be mended of a gallery: the plan is what ``verify`` found, and no damaged file is deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from nearid_search.durable_file import write_file
from nearid_search.errors import GalleryCorruptError, GalleryMismatchError, WeightsError
from nearid_search.head_file import load_head, read_head_manifest, save_head
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.care.checksums import altered_files, note_files, read_again, read_checksums
from nearid_search.indexer.care.findings import Finding, Part, VerifyReport
from nearid_search.indexer.care.imported_manifest import imported_manifest
from nearid_search.indexer.care.rescue import OnRescue, Rescue, Rescued
from nearid_search.indexer.care.second_copies import copy_of, joined_log
from nearid_search.indexer.care.set_aside import set_aside
from nearid_search.indexer.care.verify import OnFile, verify_gallery
from nearid_search.indexer.corrections.follow import follow_corrections
from nearid_search.indexer.corrections.log import LOG_NAME, CorrectionLog
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import locate_gallery, require_disk, require_gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import (
    HEAD_NAME,
    MANIFEST_NAME,
    TABLES_NAME,
    Manifest,
    read_manifest,
    write_manifest,
)
from nearid_search.indexer.search.index_file import remove_index
from nearid_search.indexer.search.index_refresh import refresh_search
from nearid_search.indexer.search.rerank_record import RERANK_NAME
from nearid_search.indexer.store import GalleryStore
from nearid_search.shipped_heads import AUTO_HEAD, find_head

OnPlan = Callable[[VerifyReport], None]
_ROUNDS = 3  # what hides behind a damaged manifest is found in the next one


@dataclass
class RepairReport:
    """What ``gallery repair`` did.

    Attributes:
        gallery: folder of the gallery.
        found: what was wrong.
        mended: what was done, in order, one line each.
        aside: files and folders that were set aside, from the gallery's folder.
        rescued: what became of the images, where the tables had to be made again.
        remaining: what is still wrong.
        anew: commands that measure again what had to be dropped.
    """

    gallery: str
    found: Sequence[Finding] = ()
    mended: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    rescued: Rescued | None = None
    remaining: Sequence[Finding] = ()
    anew: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged any more, and nothing was lost."""
        return not self.remaining and (self.rescued is None or not self.rescued.lost)

    def as_dict(self) -> dict[str, Any]:
        """Return it with the stable keys of ``--json``."""
        return {**asdict(self), "whole": self.whole}


def repair_gallery(
    gallery: str | Path | None = None,
    *,
    encoder: ImageEncoder | None = None,
    head: Path | None = None,
    device: str = "auto",
    on_plan: OnPlan | None = None,
    on_file: OnFile | None = None,
    on_rescue: OnRescue | None = None,
) -> RepairReport:
    """Mend a gallery.

    Args:
        gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        encoder: the gallery's, if it is open; else it is opened if a picture is to be encoded.
        head: folder of the head that made it, if its own copy is damaged and the head is none that ships.
        device: where the encoder runs.
        on_plan: told what was found, before anything is written.
        on_file: told of every file that is compared.
        on_rescue: told of every picture that is looked at again.

    Raises:
        ConfigError: if it is in an object store.
        GalleryLockedError: if another process writes.
        GalleryMismatchError: if a later version of this library wrote it.
        GalleryNotFoundError: if there is no gallery.
        GalleryWriteError: if the folder cannot be written.
    """
    folder = locate_gallery(Path(gallery) if gallery is not None else None)
    require_disk(folder, "gallery repair", remedy="index again with --rebuild")
    require_gallery(folder, exists=(folder / MANIFEST_NAME).exists() or copy_of(folder / MANIFEST_NAME).exists())
    job = _Repair(folder, encoder, head, device, on_rescue or (lambda _done, _total: None))
    with writer_lock(folder):
        for number in range(_ROUNDS):
            found = verify_gallery(folder, on_file=on_file)
            if number == 0:
                job.report.found = found.findings
                if on_plan is not None:
                    on_plan(found)
            if not job.mend(found.damaged):
                break
        job.report.remaining = verify_gallery(folder, quick=True).damaged
    return job.report


class _Repair:
    def __init__(
        self, folder: Path, encoder: ImageEncoder | None, head: Path | None, device: str, on_rescue: OnRescue
    ) -> None:
        self._folder, self._encoder, self._head, self._device = folder, encoder, head, device
        self._on_rescue = on_rescue
        self._tried: set[Part] = set()
        self.report = RepairReport(str(folder))

    def mend(self, damaged: Sequence[Finding]) -> bool:
        """Mend each part that is damaged; say whether another look is worth while."""
        parts = [part for part in Part if part not in self._tried and any(found.part is part for found in damaged)]
        makers: dict[Part, Callable[[Sequence[Finding]], None]] = {
            Part.MANIFEST: self._manifest,
            Part.LOG: self._log,
            Part.HEAD: self._copy_head,
            Part.TABLES: self._tables,
            Part.CHECKSUMS: self._checksums,
            Part.INDEX: self._index,
        }
        if any(finding.file == LOG_NAME for finding in damaged) and Part.LOG not in parts:
            parts = [part for part in parts if part is not Part.TABLES]  # their identities follow from the log
        for part in parts:
            if part is not Part.PAST:  # a tag may name a version that is set aside only now
                self._tried.add(part)
            makers.get(part, self._put_aside)([finding for finding in damaged if finding.part is part])
            if part in (Part.MANIFEST, Part.LOG):
                return True  # what else there is shows only now
        return bool(parts)

    def _aside(self, name: str) -> None:
        aside = set_aside(self._folder / name)
        if aside is not None:
            self.report.aside.append(aside.relative_to(self._folder).as_posix())

    def _put_aside(self, found: Sequence[Finding]) -> None:
        for finding in found:
            self._aside(finding.file)
            self.report.mended.append(f"{finding.file}: {finding.repair}")
        anew = {Part.CALIBRATION: "nearid-search calibrate", Part.RERANK: "nearid-search gallery tune --rerank"}
        self.report.anew += [anew[found[0].part]] if found[0].part in anew else []

    def _manifest(self, found: Sequence[Finding]) -> None:
        path = self._folder / MANIFEST_NAME
        copy = copy_of(path)
        if found[0].file == copy.name:
            self._aside(copy.name)  # giving the lock back copies it again
            self.report.mended.append(f"{copy.name}: copied again")
            return
        try:
            copied = read_manifest(self._folder, name=copy.name)
        except (GalleryCorruptError, GalleryMismatchError):
            copied = None
        if copied is None:
            told = imported_manifest(self._folder)
            if told is not None:
                self._aside(MANIFEST_NAME)
                self._aside(copy.name)  # giving the lock back copies it again
                write_manifest(self._folder, told)
                self.report.mended.append(f"{MANIFEST_NAME}: made again from the tables")
        elif (self._folder / copied.tables).is_dir():
            content = copy.read_bytes()
            self._aside(MANIFEST_NAME)
            write_file(path, content)
            self.report.mended.append(f"{MANIFEST_NAME}: taken from {copy.name}")

    def _log(self, found: Sequence[Finding]) -> None:
        path = self._folder / LOG_NAME
        copy = copy_of(path)
        if found[0].file == copy.name:
            self._aside(copy.name)
            self.report.mended.append(f"{copy.name}: copied again")
            return
        joined = joined_log(path, lambda name: len(CorrectionLog(self._folder, name=name).entries))
        if joined is not None:
            self._aside(LOG_NAME)
            write_file(path, joined)
            self.report.mended.append(f"{LOG_NAME}: taken from {copy.name}")

    def _copy_head(self, _found: Sequence[Finding]) -> None:
        manifest = read_manifest(self._folder)
        assert manifest is not None  # noqa: S101  (a head was found damaged by it)
        kept = str(manifest.encoder.head)
        wanted, name = kept.removeprefix(f"{HEAD_NAME}-"), str(manifest.encoder.details.get("name"))
        for source in (self._head, find_head(AUTO_HEAD, name)):
            try:
                if source is not None and read_head_manifest(source).fingerprint.rpartition(":")[2] == wanted:
                    loaded = load_head(source)
                    self._aside(kept)
                    save_head(self._folder / kept, loaded.arrays, loaded.manifest)
                    self.report.mended.append(f"{kept}: copied again")
                    return
            except WeightsError:
                continue

    def _tables(self, _found: Sequence[Finding]) -> None:
        manifest = read_manifest(self._folder)
        assert manifest is not None  # noqa: S101  (its tables were found damaged)
        name = f"{TABLES_NAME}-{uuid4().hex[:8]}"
        record = manifest.encoder
        target = GalleryStore.create(self._folder / name, dim=record.dim, keeps_whole=record.keeps_whole)
        rescue = Rescue(
            self._folder,
            manifest,
            target,
            is_altered=self._is_altered(),
            open_encoder=lambda: self._opened(manifest),
            on_rescue=self._on_rescue,
        )
        rescued = rescue.run()
        renewed = replace(manifest, tables=name)
        follow_corrections(Gallery(self._folder, renewed, target), CorrectionLog(self._folder))
        write_manifest(self._folder, renewed)
        self._aside(manifest.tables)
        self._refresh(renewed)
        self._put_aside_measured()
        self.report.rescued = rescued
        self.report.mended.append(
            f"{manifest.tables}: {rescued.kept} rows kept, {rescued.encoded} encoded again, {rescued.from_index} taken "
            f"from the search index, {len(rescued.unproven)} taken unproven, {len(rescued.lost)} lost; "
            "restore points and tags begin anew"
        )

    def _is_altered(self) -> Callable[[Path], bool] | None:
        try:
            sums = read_checksums(self._folder)
        except ValueError:
            sums = None
        if sums is None:
            return None
        read_again()
        known = sums
        return lambda path: not path.exists() or bool(altered_files(self._folder, [path], known))

    def _opened(self, manifest: Manifest) -> ImageEncoder:
        if self._encoder is None:
            store = GalleryStore(self._folder / manifest.tables)
            self._encoder = Gallery(self._folder, manifest, store).open_encoder(device=self._device)
        return self._encoder

    def _put_aside_measured(self) -> None:
        """What was measured of re-ranking speaks of tables by name."""
        if (self._folder / RERANK_NAME).exists():
            self._put_aside([Finding(Part.RERANK, RERANK_NAME, "", "set aside: it is of the former tables")])

    def _checksums(self, found: Sequence[Finding]) -> None:
        self._aside(found[0].file)
        note_files(self._folder, anew=True)
        self.report.mended.append(f"{found[0].file}: made anew")

    def _index(self, found: Sequence[Finding]) -> None:
        manifest = read_manifest(self._folder)
        assert manifest is not None  # noqa: S101  (the index was looked at by it)
        self._refresh(manifest)
        self.report.mended.append(f"{found[0].file}: made anew")

    def _refresh(self, manifest: Manifest) -> None:
        gallery = Gallery(self._folder, manifest, GalleryStore(self._folder / manifest.tables))
        remove_index(gallery.index_dir)
        refresh_search(gallery, manifest.search)
