"""A process that may take only so much memory: refused before it begins, or ended with a line that names the cap."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from nearid_search.amounts import format_memory
from nearid_search.errors import ConfigError, NearIDError

_CAPS = (
    # Below these the libraries cannot even be loaded, and some end the process instead of raising. They reserve far
    # more addresses than they use.
    (resource.RLIMIT_AS, "address space (ulimit -v)", 2**32),
    (resource.RLIMIT_DATA, "data (ulimit -d)", 2**30),
)


@contextmanager
def capped_memory() -> Iterator[None]:
    """Keep what a cap on memory breaks from looking like a fault of the program; without a cap nothing happens.

    Yields:
        Nothing.

    Raises:
        ConfigError: if a cap is so low that no command would end well, or an error came up under one. Libraries say
            that they lack memory in many ways, such as an import that fails.
    """
    caps = [(resource.getrlimit(kind)[0], name, least) for kind, name, least in _CAPS]
    set_caps = [(cap, name, least) for cap, name, least in caps if cap != resource.RLIM_INFINITY]
    for cap, name, least in set_caps:
        if cap < least:
            raise ConfigError(
                f"the {name} of this process is limited to {format_memory(cap)}: give it {format_memory(least)} or more"
            )
    try:
        yield
    except (NearIDError, OSError, typer.TyperException, typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if not set_caps:
            raise
        cap, name, _ = set_caps[0]
        raise ConfigError(
            f"failed with {type(error).__name__} while the {name} of this process is limited to {format_memory(cap)}: "
            "raise the limit, or give a smaller --batch-size (--debug shows the traceback)"
        ) from error
