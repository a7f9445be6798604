"""Render the identity set: everyday objects and packages, with distractors on each view's own background.

Everything comes from packages. Set up an environment of its own:

    apt-get install sweethome3d-furniture libosmesa6
    python3.11 -m venv /tmp/render
    /tmp/render/bin/pip install --no-deps mvtb-data==1.6.1
    /tmp/render/bin/pip install -r benchmarks/identity_renderer/requirements.txt
    /tmp/render/bin/python benchmarks/render_identities.py --out /tmp/identities --looks 3 --packages 600
    /tmp/render/bin/python benchmarks/render_identities.py --out /tmp/left-out --set left-out

The same scenes with traced light, a second or two a picture, in another environment:

    python3.11 -m venv /tmp/cycles
    /tmp/cycles/bin/pip install --no-deps mvtb-data==1.6.1
    /tmp/cycles/bin/pip install -r benchmarks/identity_renderer/requirements-cycles.txt
    /tmp/cycles/bin/python benchmarks/render_identities.py --out /tmp/traced --renderer cycles --split test \
        --looks 8 --packages 1600 --limit 46 --memory-gib 8

The set lies in folders (<split>/<identity>/<view>/positive.jpg, distractor-<source>.jpg, mask.png) beside
`manifest.parquet` and `manifest.json`. It is split by mesh, and no photograph stands behind things of two splits. An
interrupted run goes on where it stopped; more looks or packages are added to what is there. The same seed plans the
same pictures; their bytes can differ between processors.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from identity_renderer.archives import FURNITURE
from identity_renderer.manifest import versions, write_manifest
from identity_renderer.records import is_done, record_failure
from identity_renderer.shots import Identity, Settings
from identity_renderer.stock import Stock

SHARD = 32
"""Identities of one process."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the set")
    parser.add_argument("--set", dest="chosen", choices=("main", "left-out"), default="main", help="which meshes")
    parser.add_argument("--looks", type=int, default=3, help="looks of a mesh (default: %(default)s)")
    parser.add_argument("--packages", type=int, default=600, help="drawn packages (default: %(default)s)")
    parser.add_argument("--views", type=int, default=4, help="views of an identity (default: %(default)s)")
    parser.add_argument("--distractors", type=int, default=3, help="a view of train gets (default: %(default)s)")
    parser.add_argument("--size", type=int, default=288, help="pixels of a side (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20, help="of everything (default: %(default)s)")
    parser.add_argument("--split", choices=("train", "val", "test"), help="render this one alone")
    parser.add_argument("--renderer", choices=("osmesa", "cycles"), default="osmesa", help="(default: %(default)s)")
    parser.add_argument("--limit", type=int, help="stop after so many identities")
    parser.add_argument("--workers", type=int, default=1, help="processes at a time (default: %(default)s)")
    parser.add_argument("--memory-gib", type=float, default=3.0, help="address space of one process")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one process")
    parser.add_argument("--furniture", type=Path, default=FURNITURE, help="folder of the archives")
    parser.add_argument("--shard", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Render what is missing, then write the manifest."""
    options = parse(arguments)
    stock = Stock(options.chosen, options.furniture, options.packages, options.seed, options.out / ".meshes")
    wanted = [named for named in stock.identities(options.looks) if options.split in (None, named.thing.split)]
    identities = wanted[: options.limit]
    settings = Settings(options.seed, options.views, options.distractors, options.size, options.renderer)
    if options.shard:
        _render(options, identities, stock, settings)
        return 0
    _check_settings(options.out, settings)
    pending = [identity.name for identity in identities if not is_done(options.out, identity.name)]
    print(f"{len(identities):,} identities, {len(pending):,} to render", file=sys.stderr)
    shards = [pending[start : start + SHARD] for start in range(0, len(pending), SHARD)]
    started, done = time.monotonic(), 0
    with ThreadPoolExecutor(options.workers) as workers:
        running = {workers.submit(_run, arguments, options, shard): len(shard) for shard in shards}
        for finished in as_completed(running):
            finished.result()
            done += running[finished]
            rate = done / (time.monotonic() - started)
            left = (len(pending) - done) / rate / 60
            print(f"{done:,}/{len(pending):,} identities, {rate:.2f}/s, {left:.0f} min left", file=sys.stderr)
    command = " ".join(["python benchmarks/render_identities.py", *arguments])
    facts = {
        "command": command,
        "set": options.chosen,
        "settings": asdict(settings),
        "versions": versions(options.renderer),
    }
    counts = write_manifest(options.out, facts)
    for name, count in sorted(counts.items()):
        print(f"{count:9,} {name}")
    return 0


def _check_settings(out: Path, settings: Settings) -> None:
    """Refuse to mix two sets in one folder.

    Raises:
        SystemExit: the folder holds a set of other settings.
    """
    path = out / "settings.json"
    wanted = asdict(settings)
    if path.is_file() and json.loads(path.read_text()) != wanted:
        raise SystemExit(f"{out} was begun with {path.read_text()}, not {json.dumps(wanted)}: choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(wanted))


def _run(arguments: list[str], options: argparse.Namespace, names: list[str]) -> None:
    """Render a shard in a child; whatever kills the child is recorded, and the rest goes on in the next."""
    work = options.out / ".work" / names[0]
    work.mkdir(parents=True, exist_ok=True)
    listed, current = work / "shard.json", work / "current"
    limit = int(options.memory_gib * 2**30)
    for _ in names:
        listed.write_text(json.dumps(names))
        current.unlink(missing_ok=True)
        try:
            with (work / "errors.txt").open("w") as errors:
                code = subprocess.run(
                    [sys.executable, __file__, *arguments, "--shard", str(listed)],
                    check=False,
                    stdout=subprocess.DEVNULL,  # Blender names every file that it writes
                    stderr=errors,
                    timeout=options.timeout,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
                ).returncode
        except subprocess.TimeoutExpired as error:
            code = -1
            (work / "errors.txt").write_text(str(error.timeout) + " seconds are over: see --timeout")
        if code == 0:
            return
        told = (work / "errors.txt").read_text().strip().splitlines()[-1:] or ["no message"]
        if not current.is_file():
            raise SystemExit(f"a shard ended with {code} before its first identity: {told[0]}")
        record_failure(options.out, current.read_text(), f"its process ended with {code}: {told[0]}")


def _render(options: argparse.Namespace, identities: list[Identity], stock: Stock, settings: Settings) -> None:
    # OpenGL is only loaded where something is drawn.
    from identity_renderer.shard import render_shard

    names = set(json.loads(options.shard.read_text()))
    chosen = [identity for identity in identities if identity.name in names]
    render_shard(chosen, stock, settings, options.out, options.shard.with_name("current"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
