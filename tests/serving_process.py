"""The service as a user starts it: a process of its own."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def serving_process(gallery: Path, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``nearid-search serve`` and yield it with its address once it is ready."""
    command = [sys.executable, "-m", "nearid_search", "serve", "--gallery", str(gallery), "--port", "0", *options]
    clean = {name: value for name, value in os.environ.items() if name != "NEARID_TOKEN"}
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**clean, **environment})
    assert running.stderr is not None
    try:
        line = running.stderr.readline()
        found = re.fullmatch(r"serving (http://\S+)\n", line)
        assert found, line + running.stderr.read()
        yield running, found[1]
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()
        running.stderr.close()
