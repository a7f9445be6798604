"""How doubts about enrolled views read."""

from __future__ import annotations

import sys

from nearid_search.cli.render import note, print_json
from nearid_search.reports import EnrolmentReport


def print_enrolment(report: EnrolmentReport, *, json: bool) -> None:
    """Print a line for every doubt; how many views were looked at goes to stderr."""
    if json:
        print_json(report.as_dict())
        return
    for doubt in report.doubts:
        sys.stdout.write(doubt.describe() + "\n")
    if report.reason:
        note(f"nothing can be said: {report.reason}")
    else:
        note(f"{len(report.doubts)} doubts; looked at {report.checked:,} of {report.of:,} views")
