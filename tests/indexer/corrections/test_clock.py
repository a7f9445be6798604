"""The clock is put back between two corrections: their order stays, and a moment names one state of everything."""

import json
from pathlib import Path

from correction_cases import made_gallery
from stepped_clock import run_with_stepped_clock

# The gallery is made at 10:00; three corrections follow at 12:00, 11:00 and 12:30 by the clock.
PROGRAM = """
import json, os, sys
from datetime import UTC, datetime, timedelta
from nearid_search.indexer.gallery import Gallery

gallery = Gallery.open(sys.argv[1])
start = datetime.now(UTC) + timedelta(hours=2)

def at(hours):
    os.environ["CLOCK_SHIFT"] = str(round(3600 * (hours + 2)))

def past(hours):
    then = gallery.as_of((start + timedelta(hours=hours)).isoformat())
    corrections = then.corrections_that_hold()
    [name] = then.identities()
    return [name, corrections.names.get("cup", "cup")]

at(0), gallery.corrections.rename("cup", "mug")
at(-1), gallery.corrections.rename("mug", "jug")
seen = {"made": [entry.entry.what for entry in gallery.corrections.history()]}
seen["clock"] = [entry.entry.when for entry in gallery.corrections.history()]
at(0.5), gallery.corrections.rename("jug", "pot")
seen["before"], seen["between"], seen["after"] = past(-0.001), past(0.25), past(0.75)
gallery.corrections.restore((start + timedelta(hours=0.25)).isoformat())
seen["restored"] = list(gallery.identities())
gallery.corrections.undo()
seen["undone"] = list(gallery.identities())
print(json.dumps(seen))
"""


def test_a_clock_that_is_put_back_reorders_nothing(tmp_path: Path) -> None:
    made_gallery(tmp_path / "gallery", {"cup": 2})
    seen = json.loads(run_with_stepped_clock(PROGRAM, str(tmp_path / "gallery"), folder=tmp_path))
    assert seen["made"] == ["cup is called mug", "mug is called jug"]
    assert seen["clock"] == sorted(seen["clock"], reverse=True)  # the log says what the clock said
    # What the tables show and what the log says are the same at every moment.
    assert seen["before"] == ["cup", "cup"]
    assert seen["between"] == ["jug", "jug"]
    assert seen["after"] == ["pot", "pot"]
    assert (seen["restored"], seen["undone"]) == (["jug"], ["pot"])
