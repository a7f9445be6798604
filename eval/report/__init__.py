"""An evaluation as one HTML file that anyone can open."""

from nearid_search.eval.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
