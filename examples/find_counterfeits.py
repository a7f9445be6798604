"""Rank listings whose picture looks like the item they offer, but is not it.

    python examples/find_counterfeits.py listings.csv --html suspects.html > ranked.csv

The table has the columns picture (relative to it) and item (an identity); a folder does if its sub-folders are items.
First come pictures that are no match of their item, the most alike first; then the matches, by margin. What cannot be
judged is named on stderr, and the exit code is 1.
"""

import argparse
import csv
import sys
from pathlib import Path

from nearid_search import ClaimCheck, NearIDError, SearchEngine, list_pictures, write_strip


def listings(source: Path) -> list[tuple[Path, str]]:
    """Return pictures and what each claims to show."""
    if source.is_dir():
        return [(path, path.parent.name) for path in list_pictures(source)]
    with source.open(newline="", encoding="utf-8-sig") as file:
        return [(source.parent / row["picture"], row["item"]) for row in csv.DictReader(file)]


def main() -> int:
    """Read the command line, print the ranking and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listings", type=Path, help="CSV file with the columns picture, item; or a folder")
    parser.add_argument("--html", type=Path, help="contact sheet of all that are no match of their item")
    parser.add_argument("--gallery", help="default: as for nearid-search query")
    options = parser.parse_args()
    engine, checks, failed = SearchEngine.open(options.gallery), list[ClaimCheck](), 0
    for picture, item in listings(options.listings):
        try:
            checks.append(engine.check_claim(picture, item))
        except NearIDError as error:
            failed = 1
            print(f"left out: {picture}: {error}", file=sys.stderr)
    checks.sort(key=lambda check: (True, check.margin or 0.0) if check.holds else (False, -check.score))
    rows = [check.as_dict() for check in checks]
    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: f"{value:.3f}" if type(value) is float else value for name, value in row.items()})
    if options.html:
        write_strip(options.html, [check.answer for check in checks if not check.holds], engine.gallery)
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyError as error:
        sys.exit(f"error: the table of listings has no column {error}: it needs picture and item")
    except (NearIDError, OSError) as error:
        sys.exit(f"error: {error}")
