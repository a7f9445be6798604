"""One small training set, written in every form it can have on disk."""

import csv
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from catalogues import draw
from pyarrow import parquet


class Drawn(NamedTuple):
    """One image of a training set: its place, and the seed of its picture."""

    split: str
    identity: str
    view: int
    role: str
    source: str
    seed: int


def two_views(split: str, identity: str, seed: int) -> list[Drawn]:
    """An identity with two views, each with a distractor from two sources."""
    return [
        Drawn(split, identity, view, role, source, seed + 10 * view + number)
        for view in (1, 2)
        for number, (role, source) in enumerate([("positive", ""), ("distractor", "flux"), ("distractor", "sdxl")])
    ]


SMALL = [
    *two_views("train", "lamp", 100),
    *two_views("train", "007", 200),
    *two_views("val", "cup", 300),
    Drawn("train", "shoe", 1, "positive", "", 1),
    Drawn("train", "shoe", 1, "mask", "", 2),
    Drawn("train", "shoe", 1, "distractor", "flux", 3),
    Drawn("train", "shoe", 3, "positive", "", 4),
    Drawn("train", "shoe", 3, "distractor", "sdxl", 5),
    Drawn("test", "vase", 1, "positive", "", 6),
]
"""A third view without a second, a mask, and places without distractors."""


@cache
def picture(seed: int) -> bytes:
    """The bytes of a picture."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder, "picture.png"), seed)
        return Path(folder, "picture.png").read_bytes()


def file_name(image: Drawn) -> str:
    """Where an image lies in the folder layout."""
    stem = f"{image.role}-{image.source}" if image.source else image.role
    return f"{image.split}/{image.identity}/{image.view}/{stem}.png"


def write_folder(root: Path, images: list[Drawn]) -> Path:
    for image in images:
        path = root / file_name(image)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(image.seed))
    return root


def write_manifest(root: Path, images: list[Drawn], suffix: str) -> Path:
    """Write the pictures under names that say nothing, and the table beside them."""
    rows = []
    for number, image in enumerate(images):
        path = root / f"pictures/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(image.seed))
        rows.append({"path": f"pictures/{number}.png", **{key: str(value) for key, value in image._asdict().items()}})
    table = root / f"manifest{suffix}"
    if suffix == ".csv":
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        parquet.write_table(pa.Table.from_pylist(rows), table)
    return table


def write_tables(root: Path, images: list[Drawn], kind: str, *, shards: int = 2) -> Path:
    """Write the published columns: images as structs in Parquet, as plain binary in Arrow."""
    keys = list(dict.fromkeys((image.split, image.identity) for image in images))
    positives: list[dict[str, Any]] = [{"id": identity, "split": split, "category": None} for split, identity in keys]
    sources = {image.source: [{"id": identity} for _, identity in keys] for image in images if image.source}
    for image in images:
        row = keys.index((image.split, image.identity))
        if image.role == "distractor":
            sources[image.source][row][f"nimg{image.view}"] = cell(image, kind)
        else:
            positives[row][f"{'images' if image.role == 'positive' else 'masks'}{image.view}"] = cell(image, kind)
    write_shards(root / "positives", positives, kind, shards)
    for source, rows in sources.items():
        write_shards(root / "distractors" / source, rows, kind, shards)
    return root


def cell(image: Drawn, kind: str) -> Any:
    """One image as a cell of a table."""
    return {"bytes": picture(image.seed), "path": "picture.png"} if kind == "parquet" else picture(image.seed)


def write_shards(folder: Path, rows: list[dict[str, Any]], kind: str, shards: int) -> None:
    """Write rows over several files of two rows a block."""
    folder.mkdir(parents=True)
    names = sorted({name for row in rows for name in row})
    whole = pa.table({name: [row.get(name) for row in rows] for name in names})
    size = -(-len(rows) // shards)
    for number in range(shards):
        write_table(folder / f"part-{number:05}", whole.slice(number * size, size), kind)


def write_table(stem: Path, table: pa.Table, kind: str) -> Path:
    """Write a table as ``parquet``, Arrow ``file``, Arrow ``stream``, or compressed Arrow ``stream-zstd``."""
    if kind == "parquet":
        path = stem.with_suffix(".parquet")
        parquet.write_table(table, path, row_group_size=2)
        return path
    path = stem.with_suffix(".arrow")
    options = pa.ipc.IpcWriteOptions(compression="zstd" if kind.endswith("zstd") else None)
    create = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with create(str(path), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=2)
    return path
