"""``nearid-search`` whose ``index`` writes a few pictures at a time and says on stderr how many it has read."""

from __future__ import annotations

import importlib
import sys
from functools import partial

from nearid_search.cli.app import main
from nearid_search.cli.render import IndexProgress
from nearid_search.config import IndexConfig
from nearid_search.indexer.catalogue.run import Progress

BATCH_SIZE, WRITE_ROWS = 2, 4
READ = "read "


def _say(self: IndexProgress, state: Progress) -> None:  # noqa: ARG001  (as of ``IndexProgress.advance``)
    sys.stderr.write(f"{READ}{state.done}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    small = partial(IndexConfig, write_rows=WRITE_ROWS)
    importlib.import_module("nearid_search.cli.index").IndexConfig = small  # type: ignore[attr-defined]
    IndexProgress.advance = _say  # type: ignore[method-assign]
    main()
