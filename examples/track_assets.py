"""Track assets by camera stills: note what each shows, where and when; print moves, and what is not known for sure.

    python examples/track_assets.py stills --sightings sightings --every 5

The place of a still is its folder below the watched one; its time is its camera's, or that in its name, or its file's.
A still is noted once, however often this is stopped and started. A file of paths does as well, or /dev/stdin.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from nearid_search import Failure, NearIDError, SearchEngine, Sighting, SightingLog, list_pictures


def track(engine: SearchEngine, log: SightingLog, pictures: Iterable[Path], root: Path) -> None:
    """Note the pictures that the log does not have, the oldest first; what a stop cuts off is done next time."""
    stills, failures = log.new_stills(pictures)
    tell(failures)
    for start in range(0, len(stills), 16):
        batch = stills[start : start + 16]
        tell(log.note(batch, engine.query_many([still.path for still in batch], k=1), root=root))


def tell(noted: Sequence[Sighting | Failure]) -> None:
    """Print what somebody should know; an asset that is where it was is none of that."""
    for seen in noted:
        if isinstance(seen, Failure):
            print(f"left out: {seen.path}: {seen.error}", file=sys.stderr)
        elif seen.verdict != "match" or seen.moved_from is not None:
            what = {"match": f"{seen.asset} moved from {seen.moved_from}", "ambiguous": f"perhaps {seen.asset}"}
            shown = what.get(seen.verdict, "unknown thing")
            print(f"{seen.time.astimezone():%Y-%m-%d %H:%M}  {seen.place}: {shown}  {seen.picture}", flush=True)


def main() -> None:
    """Read the command line and go on until there is nothing more to watch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stills", type=Path, help="folder of stills, or file of paths")
    parser.add_argument("--sightings", default="sightings", help="folder of the log")
    parser.add_argument("--gallery", help="default: as for nearid-search query")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="look again; default: look once")
    options = parser.parse_args()
    engine, log = SearchEngine.open(options.gallery), SightingLog(options.sightings, create=True)
    folder = options.stills if options.stills.is_dir() else None
    while True:
        listed = list_pictures(folder) if folder else map(Path, options.stills.read_text().splitlines())
        track(engine := engine.refreshed(), log, listed, folder or Path())
        if options.every is None:
            return
        time.sleep(options.every)


if __name__ == "__main__":
    try:
        main()
    except (NearIDError, OSError, KeyboardInterrupt) as error:
        sys.exit(f"error: {error}" if str(error) else 130)
