"""Says clearly that the ``torch`` extra is needed, before a bare ImportError does."""

from __future__ import annotations

import importlib.util

from nearid_search.errors import MissingExtraError

EXTRA = "torch"


def require_torch(purpose: str, *modules: str) -> None:
    """Make sure torch and other modules of the extra are installed, without importing them.

    Args:
        purpose: what needs them, for the message.
        modules: further module names.

    Raises:
        MissingExtraError: names the first one missing.
    """
    for module in ("torch", *modules):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module, EXTRA, purpose)
