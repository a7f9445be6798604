"""Memory kept by the process: in one of its own, because it is for good."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from nearid_search.trainer.heap import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(8_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
assert keep_freed_memory()
np.ones(8_000_000)
assert faults() < before / 5, (faults(), before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library manages memory its own way")
def test_memory_that_is_freed_is_not_filled_with_zeros_again() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
