"""The page: everything that was found, drawn by the templates beside this file."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearid_search.durable_file import write_file
from nearid_search.errors import ConfigError
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.intervals import Interval
from nearid_search.eval.readouts import FROZEN, HEAD
from nearid_search.eval.report import failures, plots, tables

if TYPE_CHECKING:
    import jinja2

_HERE = "nearid_search.eval.report"
_HEADLINES = ("ssr", "pa", "recall@1", "map", "fnir@fpir=0.01", "fnir@fpir=0.001")
_STRIPS = 12
_FAILED_FILES = 20


def write_report(report: EvalReport, path: Path) -> None:
    """Write an evaluation as one HTML file that needs no network; the same report gives the same bytes.

    Args:
        report: what was found. The pictures of its worst failures are read once more from where they lie.
        path: the file; its folder must exist. Replaced if it is there, whole or not at all.

    Raises:
        ConfigError: if the file cannot be written.
    """
    save_page(render_report(report), path)


def save_page(page: str, path: Path) -> None:
    """Write a page.

    Args:
        page: HTML.
        path: the file; its folder must exist. Replaced if it is there, whole or not at all.

    Raises:
        ConfigError: if the file cannot be written.
    """
    try:
        write_file(path, page.encode())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}: give a file somewhere else") from error


def render_report(report: EvalReport) -> str:
    """Return the page of ``write_report``.

    Args:
        report: what was found.

    Returns:
        HTML. A picture that can no longer be read is named in its place.
    """
    style, style_hash = style_and_hash()
    readout = HEAD if HEAD in report.readouts else FROZEN
    dropped = report.embedded.dropped
    return (
        page_environment()
        .get_template("page.html")
        .render(
            report=report,
            style=style,
            style_hash=style_hash,
            titles=tables.TITLES,
            headlines=_HEADLINES,
            tables=tables,
            margins=plots.margin_charts(report),
            recall=plots.recall_chart(report),
            open_set=plots.open_set_charts(report),
            searches=failures.worst_searches(report, readout, most=_STRIPS),
            pairs=failures.worst_pairs(report, readout, most=_STRIPS),
            failed=dropped.failures[:_FAILED_FILES],
            num_failed=len(dropped.failures),
        )
    )


def page_environment() -> jinja2.Environment:
    """Return the templates beside this file, with the filters that they use."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "span": span, "points": points, "signed": signed}
    return environment


def style_and_hash() -> tuple[str, str]:
    """Return the style of every page, and its hash for the page's policy."""
    style = _read("style.css")
    return style, base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")


def percent(value: float) -> str:
    """Return a share in percent with two digits, as the tables of ``eval`` have it.

    Example:
        >>> percent(0.98765), percent(float("nan"))
        ('98.77', '-')
    """
    return "-" if np.isnan(value) else f"{100 * value:.2f}"


def span(interval: Interval) -> str:
    """Return the ends of an interval in percent; empty if it has none."""
    if np.isnan(interval.low):
        return ""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def points(interval: Interval) -> str:
    """Return a difference in percentage points, with its sign."""
    return "-" if np.isnan(interval.value) else f"{100 * interval.value:+.2f}"


def signed(score: float) -> str:
    """Return a margin with its sign.

    Example:
        >>> signed(-0.12345)
        '-0.123'
    """
    return f"{score:+.3f}"


def _read(name: str) -> str:
    return (files(_HERE) / name).read_text(encoding="utf-8")
