"""How many pixels a picture may have before decoding it could exhaust this machine's memory."""

import os
from pathlib import Path

BYTES_PER_PIXEL = 32
"""Peak bytes one pixel costs while it is decoded.

The worst format is an animated WebP with alpha: two canvases and one frame of 4 bytes each inside the decoder, then 4
each for Pillow's image, the white background and the blend, and 3 each for the bytes and the array returned.
"""
FLOOR_PIXELS = 2**24
"""Always allowed: 16.8 megapixels, half a gigabyte at worst."""
CEILING_PIXELS = 89_478_485
"""Never exceeded: the bound above which Pillow itself takes a picture for an attack and warns."""

_UNLIMITED = 2**60  # version 1 control groups write a number near 2**63 for "no limit"


def default_max_pixels() -> int:
    """Compute the largest picture that fits in half of the memory now free.

    The other half is left to the encoder and to pictures other threads decode at the same time.

    Returns:
        Free bytes / 2 / ``BYTES_PER_PIXEL``, kept within ``FLOOR_PIXELS`` and ``CEILING_PIXELS``.
    """
    return max(FLOOR_PIXELS, min(CEILING_PIXELS, free_memory() // 2 // BYTES_PER_PIXEL))


def free_memory(*, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Measure the bytes this process can still take before the system or its container refuses.

    Args:
        proc: where the kernel's process files are.
        cgroups: where control groups are mounted, version 1 or 2.

    Returns:
        The system's available memory, or what is left of a lower control-group limit. Where the kernel reports neither
        (not Linux), half of the physical memory.
    """
    meminfo = _read(proc / "meminfo")
    available = [int(line.split()[1]) * 1024 for line in meminfo.splitlines() if line.startswith("MemAvailable:")]
    if not available:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return max(0, min(available + _group_remainders(proc, cgroups)))


def _group_remainders(proc: Path, cgroups: Path) -> list[int]:
    """Bytes left under each memory limit set on the control groups this process is in."""
    remainders = []
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, names = (
            (cgroups / "memory", ("limit_in_bytes", "usage_in_bytes")) if controllers else (cgroups, _V2_NAMES)
        )
        # Inside a container the printed path may not exist below the mount; the mount's root is then its own group.
        parts = Path(group.lstrip("/")).parts
        for depth in range(len(parts), -1, -1):
            left = _remainder(root.joinpath(*parts[:depth]), *names)
            remainders.extend([left] if left is not None else [])
    return remainders


_V2_NAMES = ("max", "current")


def _remainder(group: Path, limit_name: str, usage_name: str) -> int | None:
    limit, usage = _read(group / f"memory.{limit_name}").strip(), _read(group / f"memory.{usage_name}").strip()
    if not limit.isdigit() or not usage.isdigit() or int(limit) > _UNLIMITED:
        return None
    # Cached file pages count as used but are given back on demand; without this, reading a catalogue looks like a leak.
    cached = [int(line.split()[1]) for line in _read(group / "memory.stat").splitlines() if "inactive_file" in line]
    return int(limit) - int(usage) + max(cached, default=0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # not this kernel, or not this control-group version: the caller has another source
        return ""
