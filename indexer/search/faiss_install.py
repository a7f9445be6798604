"""Which FAISS is installed: none, one, or two that overwrite each other."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from nearid_search.errors import ConfigError, MissingExtraError

_DISTRIBUTIONS = ("faiss-cpu", "faiss-gpu")


def import_faiss(purpose: str) -> ModuleType:
    """Import FAISS, or say what to install or remove.

    Args:
        purpose: what needs it, for the message.

    Returns:
        The module ``faiss``.

    Raises:
        ConfigError: if the CPU and the GPU distribution are both installed: they share one folder, and which files of
            which are left there depends on the order they came in.
        MissingExtraError: if neither is.
    """
    if all(_is_installed(name) for name in _DISTRIBUTIONS):
        raise ConfigError(
            "faiss-cpu and faiss-gpu are both installed and overwrite each other: "
            f"pip uninstall {' '.join(_DISTRIBUTIONS)}, then pip install 'nearid-search[cpu]' or 'nearid-search[gpu]'"
        )
    try:
        import faiss
    except ModuleNotFoundError as error:
        if error.name != "faiss":
            raise
        raise MissingExtraError("faiss-cpu", "cpu", purpose) from None
    module: ModuleType = faiss
    return module


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
