"""What an import of embeddings would do, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nearid_search.indexer.exchange.embeddings_file import UNNAMED_MAKER

Stage = Literal["checking", "importing"]


@dataclass(frozen=True, kw_only=True)
class ImportPlan:
    """What an import would do.

    Attributes:
        gallery: folder of the gallery.
        rows: embeddings in the file.
        identities: identities in the file.
        dim: width of an embedding.
        encoder: fingerprint of what made them.
        new: rows to add.
        present: rows that are in the gallery already.
        changed: rows of these that bring another identity, path or metadata.
        repeated: rows whose key an earlier row of the file has.
    """

    gallery: Path
    rows: int
    identities: int
    dim: int
    encoder: str
    new: int
    present: int
    changed: int
    repeated: int

    def describe(self) -> str:
        """Return the plan as one line."""
        maker = "no maker named" if self.encoder.startswith(UNNAMED_MAKER) else f"made by {self.encoder}"
        line = (
            f"{self.rows} embeddings of {self.identities} identities, {self.dim} wide, {maker}: "
            f"{self.new} new, {self.present} in the gallery already"
        )
        line += f" ({self.changed} with other labels)" if self.changed else ""
        return line + (f", {self.repeated} twice in the file" if self.repeated else "")


@dataclass(frozen=True)
class ImportProgress:
    """How far an import is: which pass, rows done, rows in the file."""

    stage: Stage
    done: int
    total: int
