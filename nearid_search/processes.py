"""Which process a number stands for: one that was killed leaves its number behind, and another may have it by now."""

from __future__ import annotations

import os
from pathlib import Path


def boot() -> str:
    """Return what names this start of this machine; empty if the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def machine() -> str:
    """Return what names this start of this machine and this numbering of its processes; empty if nothing does."""
    try:
        return f"{boot()} {Path('/proc/self/ns/pid').readlink()}" if boot() else ""
    except OSError:
        return ""


def started(pid: int) -> str | None:
    """Return when a process was started, in the kernel's count since the machine was.

    Empty once it has ended, though nobody has asked yet how; None if it cannot be seen: it is gone, or hidden.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # The name of the program, in parentheses, may hold anything; the 20th field behind it is the start.
    return "" if fields[0] in "ZX" else fields[19]


def is_gone(pid: int) -> bool:
    """Ask the system itself: where processes of other users are hidden, not seeing one proves nothing."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
