"""What looking at a gallery's files finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Part(StrEnum):
    """What a damaged file belongs to, in the order in which parts are mended."""

    MANIFEST = "manifest"
    LOG = "corrections"
    HEAD = "head"
    UPLOADS = "uploads"
    DRAFT = "draft"
    TABLES = "tables"
    PAST = "restore points"
    CHECKSUMS = "checksums"
    INDEX = "index"
    CALIBRATION = "calibration"
    RERANK = "re-ranking"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        part: what it belongs to.
        file: path from the gallery's folder.
        what: what is wrong, in one line.
        repair: what ``repair`` does about it, in one line.
        damage: whether something is damaged; False for what is only worth knowing.
    """

    part: Part
    file: str
    what: str
    repair: str
    damage: bool = True


@dataclass(frozen=True)
class VerifyReport:
    """What ``gallery verify`` found.

    Attributes:
        gallery: folder of the gallery.
        files: files looked at.
        images: rows looked at, those that no answer shows included; None if they could not be, or were not to be.
        findings: what is wrong, in the order of ``Part``.
    """

    gallery: str
    files: int
    images: int | None
    findings: Sequence[Finding]

    @property
    def damaged(self) -> list[Finding]:
        """Those of the findings that are damage."""
        return [finding for finding in self.findings if finding.damage]

    def as_dict(self) -> dict[str, Any]:
        """Return it with the stable keys of ``--json``."""
        return {
            "gallery": self.gallery,
            "whole": not self.damaged,
            "files": self.files,
            "images": self.images,
            "findings": [asdict(finding) for finding in self.findings],
        }
