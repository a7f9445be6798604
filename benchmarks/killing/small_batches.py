"""``nearid-search`` that indexes and migrates a few pictures at a time and says on stderr how many it has read."""

from __future__ import annotations

import importlib
import sys
from functools import partial

from nearid_search.cli.app import main
from nearid_search.cli.progress import OneBar
from nearid_search.cli.render import IndexProgress
from nearid_search.config import IndexConfig
from nearid_search.indexer.catalogue.run import Progress

BATCH_SIZE, WRITE_ROWS = 2, 4
READ = "read "


def _say_indexed(self: IndexProgress, state: Progress) -> None:
    _say_encoded(self, state.done, state.total)


def _say_encoded(self: object, done: int, total: int) -> None:  # noqa: ARG001  (as of ``OneBar.advance``)
    sys.stderr.write(f"{READ}{done}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    small = partial(IndexConfig, write_rows=WRITE_ROWS)
    importlib.import_module("nearid_search.cli.index").IndexConfig = small  # type: ignore[attr-defined]
    IndexProgress.advance = _say_indexed  # type: ignore[method-assign]
    if "migrate" in sys.argv:
        importlib.import_module("nearid_search.indexer.catalogue.migrate")._ROWS_AT_ONCE = WRITE_ROWS  # type: ignore[attr-defined]
        OneBar.advance = _say_encoded  # type: ignore[method-assign]
    main()
