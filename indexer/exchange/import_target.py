"""The gallery that a file of embeddings goes into: whether it may, and what is there already of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_search.errors import EmbeddingsError, GalleryMismatchError
from nearid_search.indexer.exchange.embeddings_file import EmbeddingsFile
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.schema import CATALOGUE_IDENTITY
from nearid_search.indexer.search.row_keys import KEY_LENGTH, Keys, find_keys, key_array

if TYPE_CHECKING:
    import pyarrow as pa


def check_target(gallery: Gallery, file: EmbeddingsFile, fingerprint: str, *, stated: bool) -> None:
    """Refuse a gallery that these embeddings may not go into.

    Args:
        gallery: the gallery.
        file: the embeddings.
        fingerprint: what made them.
        stated: whether the user has said so.

    Raises:
        EmbeddingsError: if their width or a column's type differs.
        GalleryMismatchError: if something else made the gallery, or an encoder did and nobody said that it is theirs.
    """
    record = gallery.manifest.encoder
    if record.dim != file.dim:
        raise EmbeddingsError(
            f"{file.source} row 0: its embedding has {file.dim} values, those of {gallery.folder} have "
            f"{record.dim}: give another --gallery, or embeddings of the same encoder"
        )
    if record.fingerprint != fingerprint:
        raise GalleryMismatchError(
            f"{gallery.folder} holds embeddings made by {record.fingerprint}, these are said to be made by "
            f"{fingerprint}: embeddings of two encoders do not compare. Give another --gallery or, if they "
            f"are of that one, --encoder {record.fingerprint}"
        )
    if record.backbone is not None and not stated:
        raise GalleryMismatchError(
            f"{gallery.folder} was made by an encoder: if that one made these embeddings, say so with "
            f"--encoder {record.fingerprint}; else give another --gallery"
        )
    if record.keeps_whole:
        raise GalleryMismatchError(
            f"{gallery.folder} keeps two embeddings of each image, and a file brings one: give another --gallery"
        )
    kinds = {field.name: field.type for field in gallery.store.metadata_fields}
    for field in file.metadata_fields:
        kind = kinds.get(field.name, field.type)
        if field.type != kind and str(field.type) != "null":
            raise EmbeddingsError(
                f"{file.source}: column {field.name!r} is {field.type} here and {kind} in {gallery.folder}: "
                "change its type or give it another name"
            )


class KnownRows:
    """The keys of a gallery, and what its imported rows say besides their embeddings.

    Args:
        gallery: the gallery; None if there is none yet.
        columns: names of the columns that a file could change.

    Attributes:
        keys: of all its rows, as bytes: half the size of their text.
    """

    def __init__(self, gallery: Gallery | None, columns: Sequence[str]) -> None:
        self.keys: set[bytes] = set()
        self._imported: pa.Table | None = None
        self._imported_keys: Keys = np.empty(0, f"S{KEY_LENGTH}")
        self._seen = np.zeros(0, bool)
        if gallery is None:
            return
        for batch in gallery.store.scan(["key"], batch_rows=65_536):
            self.keys.update(map(bytes.fromhex, batch.column("key").to_pylist()))
        self.keys.update(map(bytes.fromhex, gallery.store.hidden_keys()))
        if gallery.store.num_imported():
            import pyarrow.compute as pc

            present = {field.name for field in gallery.store.images.schema}
            said = CATALOGUE_IDENTITY if CATALOGUE_IDENTITY in present else "identity"
            named = {name: said if name == "identity" else name for name in columns if name in present}
            table = gallery.store.image_table([*named.values(), "width"])
            # A picture's labels are its catalogue's affair.
            found = table.filter(pc.is_null(table.column("width")))
            # What a file says is compared with what a file said, not with what people have made of it.
            self._imported = found.select(["key", *named.values()]).rename_columns(["key", *named])
            self._imported_keys = key_array(self._imported.column("key"))
        self._seen = np.zeros(len(self._imported_keys), bool)

    def changed(self, columns: Mapping[str, pa.Array], keys: Sequence[bytes]) -> list[dict[str, Any]]:
        """Find the rows of a batch that are here with other labels; of rows of one key the first counts.

        Args:
            columns: the batch's labels and metadata by name.
            keys: key of every row of the batch.

        Returns:
            For each of them its ``key`` in hex and all of the batch's columns; a column that the gallery lacks only
            where it holds something.
        """
        if self._imported is None:
            return []
        here = self._imported
        rows = find_keys(self._imported_keys, np.array([key.hex().encode() for key in keys]))
        known = np.flatnonzero(rows >= 0)
        places = known[np.sort(np.unique(rows[known], return_index=True)[1])]
        places = places[~self._seen[rows[places]]]
        self._seen[rows[places]] = True
        differs = np.zeros(len(places), bool)
        values: dict[str, list[Any]] = {}
        for name, column in columns.items():
            new = column.take(places).to_pylist()
            old = here.column(name).take(rows[places]).to_pylist() if name in here.column_names else [None] * len(new)
            values[name] = new
            differs |= np.fromiter((a != b for a, b in zip(new, old, strict=True)), bool, len(new))
        return [
            {"key": keys[places[number]].hex()} | {name: column[number] for name, column in values.items()}
            for number in np.flatnonzero(differs).tolist()
        ]
