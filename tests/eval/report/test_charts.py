"""Where values stand in a drawing."""

import re

import numpy as np
import pytest

from nearid_search.eval.report.charts import Axis, Chart, Line, log_axis, percent_axis, probit_axis

AXIS = Axis("x", 0, 10, ((0, "0"), (10, "10")))


def chart(**changes: object) -> Chart:
    parts: dict[str, object] = {"title": "t", "description": "d", "x": AXIS, "y": percent_axis("share"), **changes}
    return Chart(**parts)  # type: ignore[arg-type]


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)]


def test_the_ends_of_the_axes_are_the_corners_of_the_frame() -> None:
    drawn = chart()
    assert (drawn.across(0), drawn.up(0)) == (drawn.left, drawn.bottom)
    assert (drawn.across(10), drawn.up(1)) == (drawn.right, drawn.top)
    assert drawn.across(5) == (drawn.left + drawn.right) / 2


def test_what_lies_beyond_an_axis_is_drawn_at_its_end() -> None:
    drawn = chart(x=log_axis("rate", 0.001, 1, ()))
    assert drawn.across(0) == drawn.across(0.001) == drawn.left
    assert drawn.across(7) == drawn.right


def test_equal_factors_are_equal_steps_of_a_logarithmic_axis() -> None:
    places = log_axis("rate", 0.001, 1, ()).shares(np.array([0.001, 0.01, 0.1, 1]))
    assert places == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_a_probit_axis_is_even_around_one_half() -> None:
    axis = probit_axis("rate", 0.001, 0.999)
    assert axis.shares(np.array([0.5])) == pytest.approx([0.5])
    low, high = axis.shares(np.array([0.05, 0.95]))
    assert low == pytest.approx(1 - high)
    assert [name for _, name in axis.ticks] == ["0.1 %", "1 %", "5 %", "20 %", "50 %", "80 %", "95 %", "99 %"]


@pytest.mark.parametrize(("high", "end", "ticks"), [(1.0, 1.0, 6), (0.09, 0.1, 6), (0.013, 0.02, 3), (0.3, 0.3, 4)])
def test_an_axis_of_shares_ends_at_a_round_tick_that_holds_all(high: float, end: float, ticks: int) -> None:
    axis = percent_axis("share", high)
    assert axis.high == pytest.approx(end)
    assert len(axis.ticks) == ticks
    assert axis.ticks[-1][0] == pytest.approx(end)


def test_a_line_goes_through_its_points() -> None:
    drawn = chart()
    line = Line("head", np.array([0.0, 5.0, 10.0]), np.array([0.0, 1.0, 0.5]))
    assert points(drawn.outline(line)) == [(drawn.across(x), drawn.up(y)) for x, y in zip(line.x, line.y, strict=True)]
    assert points(drawn.area(line))[-2:] == [(drawn.right, drawn.bottom), (drawn.left, drawn.bottom)]


def test_a_line_of_a_million_points_is_short_and_keeps_its_ends() -> None:
    drawn = chart()
    x = np.linspace(0, 10, 1_000_000)
    found = points(drawn.outline(Line("head", x, x / 10)))
    assert len(found) < 1_000
    assert found[0] == (drawn.left, drawn.bottom)
    assert found[-1] == (drawn.right, drawn.top)
