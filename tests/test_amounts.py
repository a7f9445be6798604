"""Amounts that people write are read as they meant them, or refused."""

import pytest

from nearid_search.amounts import format_memory, parse_latency, parse_memory
from nearid_search.errors import ConfigError

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4G", 4 * GIB),
        ("4GiB", 4 * GIB),
        ("4 gb", 4 * GIB),
        ("512m", 2**29),
        ("1.5K", 1536),
        ("700", 700),
        ("2T", 2**41),
    ],
)
def test_amounts_of_memory(text: str, expected: int) -> None:
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "G", "4X", "-4G", "0", "0G", "4 G G", "1e9", "4G5", "٤G", "four", "nan", "inf"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(ConfigError, match="is no amount of memory: give a number and K, M, G or T, such as 4G"):
        parse_memory(text)


@pytest.mark.parametrize(("text", "expected"), [("10ms", 0.01), ("0.5 s", 0.5), ("250us", 0.00025), ("1s", 1.0)])
def test_durations(text: str, expected: float) -> None:
    assert parse_latency(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "10", "ms", "-1ms", "0ms", "10 minutes", "1e3ms", "10MS", "nan s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigError, match="is no duration: give a number and us, ms or s, such as 10ms"):
        parse_latency(text)


@pytest.mark.parametrize(("count", "text"), [(0, "0.0K"), (1536, "1.5K"), (5 * GIB, "5.0G"), (3 * 2**40, "3.0T")])
def test_memory_in_words(count: int, text: str) -> None:
    assert format_memory(count) == text
