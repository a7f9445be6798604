"""Compare where the cameras saw each asset last with where it should be; the exit code says whether they agree.

    python examples/reconcile.py expected.csv --sightings sightings --since 2026-03-02

The table has the columns asset and place; an asset that may be in several places has several lines. CSV comes out, a
line for each difference: missing, misplaced, unexpected, or never enrolled, which no camera can recognise. Exit code: 0
if they agree, 3 if they do not, 1 for an error.
"""

import argparse
import csv
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from nearid_search import Gallery, NearIDError, SightingLog


def expected_places(table: Path) -> dict[str, set[str]]:
    """Return where each asset may be."""
    places = defaultdict(set)
    with table.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            places[row["asset"]].add(row["place"])
    return places


def main() -> int:
    """Read the command line, print the differences and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("expected", type=Path, help="CSV file with the columns asset, place")
    parser.add_argument("--sightings", default="sightings", help="folder of the log that track_assets.py writes")
    parser.add_argument("--since", type=datetime.fromisoformat, metavar="TIME", help="what was seen before is missing")
    parser.add_argument("--gallery", help="default: as for nearid-search query")
    options = parser.parse_args()
    expected = expected_places(options.expected)
    enrolled = Gallery.open(options.gallery).identities()
    seen = SightingLog(options.sightings).last(since=options.since)
    findings = {asset: "missing" if asset in enrolled else "never enrolled" for asset in expected.keys() - seen.keys()}
    findings |= {
        asset: "misplaced" for asset in expected.keys() & seen.keys() if seen[asset].place not in expected[asset]
    }
    findings |= dict.fromkeys(seen.keys() - expected.keys(), "unexpected")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["finding", "asset", "expected", "seen", "time", "picture"])
    for asset, finding in sorted(findings.items()):
        last = seen.get(asset)
        where = ["", "", ""] if last is None else [last.place, f"{last.time.astimezone():%Y-%m-%d %H:%M}", last.picture]
        writer.writerow([finding, asset, " or ".join(sorted(expected.get(asset, ()))), *where])
    return 3 if findings else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyError as error:
        sys.exit(f"error: the table of what is expected has no column {error}: it needs asset and place")
    except (NearIDError, OSError) as error:
        sys.exit(f"error: {error}")
