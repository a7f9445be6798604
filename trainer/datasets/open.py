"""Open a training set, whichever of the three forms it has."""

from pathlib import Path

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.folder import read_folder
from nearid_search.trainer.datasets.manifest_table import MANIFEST_COLUMNS, read_manifest
from nearid_search.trainer.datasets.nearid_tables import POSITIVES, read_nearid_tables
from nearid_search.trainer.datasets.records import SPLITS, Dataset
from nearid_search.trainer.datasets.table_cells import TABLE_SUFFIXES, read_schema

_MANIFESTS = ("manifest.csv", "manifest.parquet")
_EXPECTED = (
    "expected a folder with train/, val/, test/; a manifest (manifest.csv or .parquet, or any such file with the "
    f"columns {', '.join(MANIFEST_COLUMNS)}); or a folder with {POSITIVES}/*.parquet in the published NearID columns"
)


def open_dataset(path: Path) -> Dataset:
    """Open a dataset: folders of images, a manifest, or tables in the published NearID columns.

    Args:
        path: a folder, or a ``.csv``, ``.parquet`` or ``.arrow`` file.

    Returns:
        The dataset; no image has been read. Call ``check_dataset`` before training on it.

    Raises:
        DatasetError: if nothing is there, it has none of the forms or more than one, or its reader refuses it.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise DatasetError(f"{path} does not exist: {_EXPECTED}")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return read_manifest(path)
    if suffix not in TABLE_SUFFIXES:
        raise DatasetError(f"{path} is no dataset: {_EXPECTED}")
    if suffix == ".parquet" and "id" not in read_schema(path).names:
        return read_manifest(path)
    return read_nearid_tables(path)


def _open_folder(path: Path) -> Dataset:
    manifests = [path / name for name in _MANIFESTS if (path / name).is_file()]
    tables = [path / POSITIVES] if (path / POSITIVES).is_dir() else []
    splits = [path / name for name in SPLITS if (path / name).is_dir()]
    found = [*manifests, *tables, *splits[:1]]
    # A manifest may list the very folders the folder layout would find, so it is the one form that goes before another.
    if len(manifests) == 1 and not tables:
        return read_manifest(manifests[0])
    if len(found) > 1:
        raise DatasetError(
            f"{path} holds datasets of more than one form ({', '.join(place.name for place in found)}): "
            "keep one, or name the manifest"
        )
    if tables:
        return read_nearid_tables(path)
    if splits:
        return read_folder(path)
    raise DatasetError(f"{path} is no dataset: {_EXPECTED}")
