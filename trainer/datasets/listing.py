"""What a folder of a dataset holds, hidden files left out."""

from pathlib import Path

from nearid_search.errors import DatasetError


def list_folder(folder: Path) -> list[Path]:
    """List the visible entries of a folder, by name.

    Raises:
        DatasetError: if the folder cannot be read, or a name in it is not valid UTF-8.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        "".join(entry.name for entry in entries).encode()
    except UnicodeEncodeError as error:
        raise DatasetError(f"{folder} holds a name that is not valid UTF-8: rename it") from error
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return entries
