"""Amounts of memory and of time as people write them."""

from __future__ import annotations

import re

from nearid_search.errors import ConfigError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def parse_memory(text: str) -> int:
    """Read an amount of memory.

    Args:
        text: a number and K, M, G or T, powers of 1024, e.g. "4G" or "1.5GiB"; bytes without a letter.

    Returns:
        Bytes, at least 1.

    Raises:
        ConfigError: if it is anything else.

    Example:
        >>> parse_memory("4G"), parse_memory("512MiB")
        (4294967296, 536870912)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(?:([KMGT])(?:i?B)?)?", text.strip(), re.ASCII | re.IGNORECASE)
    amount = round(float(found[1]) * _UNITS[(found[2] or "").upper()]) if found else 0
    if amount < 1:
        raise ConfigError(f"memory {text!r} is no amount of memory: give a number and K, M, G or T, such as 4G")
    return amount


def parse_latency(text: str) -> float:
    """Read a duration.

    Args:
        text: a number and "us", "ms" or "s", e.g. "10ms".

    Returns:
        Seconds, above 0.

    Raises:
        ConfigError: if it is anything else.

    Example:
        >>> parse_latency("10ms")
        0.01
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(us|ms|s)", text.strip(), re.ASCII)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if seconds <= 0:
        raise ConfigError(f"latency {text!r} is no duration: give a number and us, ms or s, such as 10ms")
    return seconds


def format_memory(count: int) -> str:
    """Write an amount of memory with one digit after the point.

    Args:
        count: bytes.

    Example:
        >>> format_memory(3 * 2**29)
        '1.5G'
    """
    unit = next((unit for unit in ("T", "G", "M") if count >= _UNITS[unit]), "K")
    return f"{count / _UNITS[unit]:.1f}{unit}"
