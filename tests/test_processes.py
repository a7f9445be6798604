"""What is known of real processes: that run, that have ended and nobody has asked how, and that are gone."""

import os
import subprocess
import sys
import time

import pytest

from nearid_search.processes import boot, is_gone, machine, started

pytestmark = pytest.mark.skipif(not boot(), reason="this system does not say which process is which")


def test_a_process_is_told_from_every_other_that_has_its_number() -> None:
    own = started(os.getpid())
    assert own
    assert own == started(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        since = started(other.pid)
        assert since
        assert int(since) >= int(own)
        assert not is_gone(other.pid)
        other.kill()
        deadline = time.monotonic() + 10
        while started(other.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        # It has ended, and its number is kept until somebody asks how.
        assert (started(other.pid), is_gone(other.pid)) == ("", False)
        other.wait()
        assert (started(other.pid), is_gone(other.pid)) == (None, True)
    assert machine().startswith(boot())


def test_a_number_that_cannot_be_one_is_nobodys() -> None:
    assert started(2**40) is None
    assert not is_gone(2**70)
