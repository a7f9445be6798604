"""A few real pictures of the sample catalogue, small enough to make distractors from in a test."""

import shutil
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "examples" / "catalog"
THINGS = ("kettle-green", "kettle-red", "pot-blue", "table-lamp-green", "table-lamp-wood", "vase-blue")


def copy_catalogue(target: Path, things: tuple[str, ...] = THINGS, *, views: int = 2) -> Path:
    """Copy the first views of some things."""
    for thing in things:
        (target / thing).mkdir(parents=True)
        for number in range(1, views + 1):
            shutil.copy(SAMPLE / thing / f"{number}.jpg", target / thing)
    return target


def tree(folder: Path) -> dict[str, bytes]:
    """The bytes of every picture below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".jpg", ".png")
    }
