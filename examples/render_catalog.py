"""Render the sample catalogue: everyday objects on photographed backgrounds, several views each.

Everything comes from packages. Set up an environment of its own (Blender's module wants Python 3.11):

    apt-get install sweethome3d-furniture
    python3.11 -m venv /tmp/blender
    /tmp/blender/bin/pip install "bpy==5.0.1" "numpy<2" "mvtb-data==1.6.1" "scikit-image==0.26.0" pillow
    /tmp/blender/bin/python examples/render_catalog.py

Pictures that exist are kept, so an interrupted run goes on where it stopped; `--force` renders all again. The same seed
plans the same pictures; their bytes can differ between processors.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from catalog_renderer.plan import Shot, catalog_shots, queries
from catalog_renderer.sources import Sources

ROOT = Path(__file__).resolve().parent


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT, help="folder that receives catalog/, queries/ and the tables")
    parser.add_argument("--seed", type=int, default=20, help="seed of the plan (default: %(default)s)")
    parser.add_argument("--furniture", type=Path, default=Path("/usr/share/sweethome3d/furniture"))
    parser.add_argument("--force", action="store_true", help="render pictures that exist already, too")
    parser.add_argument("--memory-gib", type=int, default=10, help="address space of one renderer process")
    parser.add_argument("--only", metavar="FOLDER", help="render this folder alone (catalog/kettle-red, queries)")
    return parser.parse_args(arguments)


def folder(shot: Shot) -> str:
    """Return the folder a shot belongs to: the shard that one process renders."""
    return str(Path(shot.path).parent)


def render_folder(shots: list[Shot], wanted: list[Shot], options: argparse.Namespace, sources: Sources) -> None:
    """Render those shots of one folder that are wanted, in this process."""
    # Blender is only in the renderer's environment, and only these processes need it.
    from catalog_renderer import compose, stage

    with tempfile.TemporaryDirectory() as work:
        for number, shot in enumerate(shots):
            if shot not in wanted:
                continue
            width, depth, height = sources.model(shot.framed_by).size_m
            size = compose.PORTRAIT if height > 1.15 * max(width, depth) else compose.LANDSCAPE
            background = compose.backdrop(shot.scene, sources.photo(shot.scene), size)
            around = compose.surroundings(background, shot.scene.ambient, Path(work) / "surroundings.png")
            foreground = stage.take(shot, size, around, sources, Path(work))
            compose.develop(foreground, background, options.out / shot.path, options.seed + number)


def main(arguments: list[str]) -> int:
    """Render what is missing, one process a folder, then write the tables."""
    options = parse(arguments)
    sources = Sources(options.furniture)
    asked = queries(options.seed)
    shots = catalog_shots(options.seed) + [query.shot for query in asked]
    wanted = [shot for shot in shots if options.force or not (options.out / shot.path).exists()]
    if options.only:
        render_folder([shot for shot in shots if folder(shot) == options.only], wanted, options, sources)
        return 0
    # A few meshes make the renderer take all memory: a limit then ends one folder's process, not the machine.
    limit = options.memory_gib * 2**30
    for shard in dict.fromkeys(folder(shot) for shot in wanted):
        started = time.monotonic()
        subprocess.run(
            [sys.executable, __file__, *arguments, "--only", shard],
            check=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        print(f"{shard}: {time.monotonic() - started:.0f} s", file=sys.stderr)

    from catalog_renderer import records

    records.write_tables(options.out, catalog_shots(options.seed), asked)
    records.write_attribution(options.out / "ATTRIBUTION.md", sources)
    command = " ".join(["python examples/render_catalog.py", *arguments])
    records.write_manifest(options.out / "catalog-manifest.json", options.seed, command, shots, sources)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
