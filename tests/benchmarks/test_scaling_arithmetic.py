"""The tables of the page on scaling: what the results say, multiplied."""

import scaling_arithmetic
from scaling_arithmetic import DIM, MILLION, PAGE, amount, duration, index_scale, row_bytes, with_tables


def test_the_page_says_what_the_results_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run: python benchmarks/scaling_arithmetic.py"


def test_the_sizes_are_products() -> None:
    parts = row_bytes()
    assert parts["vector"] == 4 * DIM
    measured = index_scale(MILLION)
    assert abs(parts["ivf-sq8"] * MILLION / measured["index_bytes"] - 1) < 0.001
    assert parts["table"] * MILLION + measured["index_bytes"] + measured["kept_bytes"] == measured["gallery_bytes"]
    million, billion = (line.split(" | ") for line in scaling_arithmetic.sizes().splitlines()[2:4])
    assert million[-1].startswith("1.02 TB")
    assert billion[-1].startswith("12.2 TB")


def test_amounts_have_three_digits() -> None:
    assert [amount(count) for count in (268.2, 1_024, 12_345, 1.02e12)] == ["268 B", "1.02 kB", "12.3 kB", "1.02 TB"]
    assert [duration(seconds) for seconds in (0.0237, 90, 5 * 3600, 86400 * 3, 4e8)] == [
        "23.7 ms", "1.50 min", "5.00 h", "3.00 days", "12.7 years",
    ]  # fmt: skip
