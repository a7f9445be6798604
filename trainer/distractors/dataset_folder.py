"""The dataset on disk: finished views, what is kept between runs, and the manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nearid_search.durable_file import write_file
from nearid_search.errors import DatasetError
from nearid_search.trainer.distractors.plan import PlannedView
from nearid_search.trainer.distractors.synthesis import MadeView

MANIFEST = "manifest.json"
PREVIEW = "preview.png"
_RECORD = ".record.json"  # hidden, as the folder layout knows images alone
_WORK = ".work"


class DatasetFolder:
    """A folder that a run fills view by view; each view appears whole or not at all.

    Args:
        path: the folder; may be missing.
        fingerprint: of all that decides its content.

    Raises:
        DatasetError: if it holds something else, or what another run made, or cannot be written.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint
        if path.exists() and not path.is_dir():
            raise DatasetError(f"{path} is a file: give a folder")
        found = self._read_manifest()
        if found is None and path.is_dir() and any(path.iterdir()):
            raise DatasetError(f"{path} is not empty and holds no {MANIFEST} of this command: give another folder")
        if found is not None and found.get("fingerprint") != fingerprint:
            raise DatasetError(
                f"{path} was made from other pictures or with other settings: give another folder, or delete it to "
                "make it anew"
            )
        self.complete = bool(found and found.get("complete"))

    @property
    def work(self) -> Path:
        """Folder for what is kept until the dataset is complete."""
        return self.path / _WORK

    def start(self, manifest: Mapping[str, Any]) -> None:
        """Claim the folder.

        Args:
            manifest: what is known so far.

        Raises:
            DatasetError: if the folder cannot be written.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(f"cannot write to {self.path}: {error.strerror or error}") from error
        self._write(MANIFEST, _as_json({**manifest, "fingerprint": self._fingerprint, "complete": False}))

    def finish(self, manifest: Mapping[str, Any], preview: bytes | None) -> None:
        """Write manifest and preview, and delete what was kept.

        Raises:
            DatasetError: if they cannot be written.
        """
        if preview is not None:
            self._write(PREVIEW, preview)
        self._write(MANIFEST, _as_json({**manifest, "fingerprint": self._fingerprint, "complete": True}))
        shutil.rmtree(self.work)
        self.complete = True

    def record(self, view: PlannedView) -> dict[str, Any] | None:
        """Return the record of a finished view; None if it is not finished."""
        file = self.path / view.folder / _RECORD
        if not file.is_file():
            return None
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return record

    def write_view(self, view: PlannedView, made: MadeView) -> None:
        """Write all files of a view.

        Raises:
            DatasetError: if they cannot be written.
        """
        folder = self.path / view.folder
        temporary = self.work / view.folder.replace("/", " ")
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            for name, content in {**made.files, _RECORD: _as_json(made.record)}.items():
                (temporary / name).write_bytes(content)
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(folder)
        except OSError as error:
            raise DatasetError(f"cannot write {folder}: {error.strerror or error}") from error

    def _read_manifest(self) -> dict[str, Any] | None:
        file = self.path / MANIFEST
        if not file.is_file():
            return None
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{file} cannot be read ({error}): give another folder") from error
        return manifest if isinstance(manifest, dict) else {}

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_file(self.path / name, content)
        except OSError as error:
            raise DatasetError(f"cannot write {self.path / name}: {error.strerror or error}") from error


def _as_json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
