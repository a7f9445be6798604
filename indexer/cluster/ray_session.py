"""Ray, where it is installed: joined or started for one run, and kept from talking."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from nearid_search.errors import ClusterError, MissingExtraError

EXTRA = "ray"
LOCAL = "local"
"""Instead of an address: start Ray on this machine for the run."""

_STORE_BYTES = 100 << 20  # only names and counts pass between processes


def require_ray() -> None:
    """Refuse to begin where Ray, or the part of Lance that writes fragments, is missing.

    Raises:
        MissingExtraError: with the line that installs it.
    """
    for module, package in (("ray", "ray[data]"), ("lance", "pylance")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(package, EXTRA, "indexing on several workers")


@contextmanager
def ray_session(address: str) -> Iterator[None]:
    """Have Ray for as long as the context lasts; one that this process has joined already is used as it is.

    Args:
        address: ``local``, ``auto`` for the cluster that this machine is part of, ``host:port`` or ``ray://host:port``.

    Raises:
        ClusterError: if there is no cluster at that address.
    """
    # Ray reports its use over the network unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a local Ray: encoding is what the command is for
    import ray
    from ray.data import DataContext

    started = not ray.is_initialized()
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE_BYTES} if address == LOCAL else {}
    if started:
        try:
            with warnings.catch_warnings():
                # Ray forks to begin its own programs, which never touch a table.
                warnings.filterwarnings("ignore", message="lance.* fork")
                ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ClusterError(
                f"no Ray cluster at {address!r} ({reason}): start one with 'ray start --head', or give --ray {LOCAL}"
            ) from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    DataContext.get_current().enable_progress_bars = False
    try:
        with redirect_stdout(sys.stderr):  # where Ray reports workers that died; data alone goes to stdout
            yield
    finally:
        if started:
            ray.shutdown()


def num_workers(wanted: int) -> tuple[int, int]:
    """Return how many workers there are to be and how many GPUs each takes.

    Args:
        wanted: their number; 0 for one a GPU of the cluster, or if it has none one a core.

    Raises:
        ClusterError: if the cluster has no cores free of use.
    """
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if not cores:
        raise ClusterError("the Ray cluster has no processor cores: start a node with 'ray start --num-cpus'")
    return wanted or gpus or cores, int(gpus > 0)
