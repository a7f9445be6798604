"""Memory that is freed and asked for again in every step should stay with the process.

By default glibc gives large blocks back to the system as they are freed, and each new one is filled with zeros page by
page. A training step takes hundreds of megabytes and frees them, so that work would be done anew in every step.
"""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, until it ends.

    Returns:
        Whether the C library is one that can; otherwise nothing has changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
