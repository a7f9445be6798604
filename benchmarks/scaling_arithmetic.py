"""What do ten thousand, a million and a billion pictures weigh, and how long are they encoded?

Writes the tables of ``docs/scaling.md``: what has been measured, read from ``results/``, and what follows from it by
multiplication. Nothing is timed, so the tables come out the same on every machine; a test holds the page to them.

    python benchmarks/scaling_arithmetic.py
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from record import RESULTS

from nearid_search.images import encode_thumbnail, read_image
from nearid_search.indexer.search.index_policy import Budget, choose_index
from nearid_search.indexer.search.index_recipe import RECIPES, SearchSettings, num_clusters

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scaling.md"
MARKS = "<!-- {}: written by benchmarks/scaling_arithmetic.py -->\n", "<!-- end of {} -->\n"
DIM = 256
SIZES = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
MACHINES = {"16 GiB": 2**34, "256 GiB": 2**38}
LATENCY = 0.010
MILLION = 1_000_000


def result(name: str) -> dict[str, Any]:
    """Return a result that another script wrote."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def index_scale(rows: int) -> dict[str, Any]:
    """Return what ``index_scale.py`` measured of this product at a size."""
    lines = map(json.loads, (RESULTS / "index_scale.jsonl").read_text(encoding="utf-8").splitlines())
    (found,) = [line for line in lines if line["system"] == "nearid" and line["rows"] == rows]
    return dict(found)


def bandwidth() -> float:
    """Return the bytes that two cores read from memory in a second."""
    lines = map(json.loads, (RESULTS / "index_scale.jsonl").read_text(encoding="utf-8").splitlines())
    (rate,) = [line["gb_per_s"]["median"] for line in lines if line["system"] == "bandwidth"]
    return float(rate) * 1e9


def indexing_rate() -> float:
    """Return the pictures that two cores index in a second: the encoder's rate, and the share of it that arrives."""
    encoder = result("service_load")["bare_encoder_images_per_s"]["median"]
    return float(encoder * result("indexing_throughput")["ratio"]["median"])


def gpu_rates() -> tuple[str, float, float]:
    """Return a GPU, the pictures a second that one process indexes with it, and those that it encodes by itself."""
    found = result("gpu_encoding")
    indexing = found["indexing_images_per_second_by_batch"]
    encoding = found["encoding"]["bfloat16"]["images_per_second_by_batch"]
    best_indexing, best_encoding = (max(rate["median"] for rate in rates.values()) for rates in (indexing, encoding))
    return found["gpu"], best_indexing, best_encoding


def thumbnail_bytes() -> tuple[float, int]:
    """Return the mean size of a thumbnail of the sample catalogue, and of how many it is."""
    pictures = sorted((ROOT / "examples" / "catalog").glob("*/*.jpg"))
    sizes = [len(encode_thumbnail(read_image(picture).pixels)) for picture in pictures]
    return sum(sizes) / len(sizes), len(sizes)


def row_bytes() -> dict[str, float]:
    """Return what a row weighs, by part, in bytes."""
    million = index_scale(MILLION)
    vectors = 4.0 * DIM
    tables = (million["gallery_bytes"] - million["index_bytes"] - million["kept_bytes"]) / MILLION
    return {
        "vector": vectors,
        "table": tables,
        "thumbnail": thumbnail_bytes()[0],
        "kept": million["kept_bytes"] / MILLION - vectors,
        "ivf-sq8": RECIPES["ivf-sq8"].bytes_per_vector(MILLION, DIM),
        "hnsw-sq8": RECIPES["hnsw-sq8"].bytes_per_vector(MILLION, DIM),
        "ivf-rabitq": RECIPES["ivf-rabitq"].bytes_per_vector(MILLION, DIM),
    }


def amount(count: float) -> str:
    """Write bytes with three digits.

    Example:
        >>> amount(1_024_000_000), amount(268.2)
        ('1.02 GB', '268 B')
    """
    for unit, name in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{_three(count / unit)} {name}"
    return f"{_three(count)} B"


def duration(seconds: float) -> str:
    """Write a time with two or three digits.

    Example:
        >>> duration(0.0237), duration(5 * 3600), duration(4e8)
        ('23.7 ms', '5.00 h', '12.7 years')
    """
    if seconds < 1:
        return f"{_three(1000 * seconds)} ms"
    for unit, name in ((365.25 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{_three(seconds / unit)} {name}"
    return f"{_three(seconds)} s"


def _three(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def measured() -> str:
    """Return the table of what has been run."""
    encoder, ratio = result("service_load")["bare_encoder_images_per_s"], result("indexing_throughput")["ratio"]
    memory, unchanged = result("indexing_memory")["peak_mib"], result("reindex_unchanged")
    load, ranks = result("service_load"), result("ranking_scale")["sizes"]["1000000"]
    peaks = " and ".join(f"{memory[files]['median']:.0f}" for files in ("1000", "10000"))
    again = f"{unchanged['files']:,} unchanged files looked at again"
    times = unchanged["seconds"]
    rows: list[tuple[str, str, str]] = [
        ("encoder alone, images a second", f"{encoder['median']:.1f}", f"service_load.py, {encoder['repeats']} runs"),
        ("share of it that indexing has", f"{ratio['median']:.2f}", f"indexing_throughput.py, {ratio['repeats']} runs"),
        ("peak memory of indexing 1,000 and 10,000 pictures", f"{peaks} MiB", "indexing_memory.py, one run each"),
        (again, duration(times["median"]), f"reindex_unchanged.py, {times['repeats']} runs"),
    ]
    for size in (10_000, 100_000, MILLION):
        line = index_scale(size)
        middle = sorted(line["answer_p50_ms"])[1]
        rows.append(
            (
                f"one answer among {size:,} rows ({line['index']}), encoding left out",
                f"{middle:.2f} ms, {line['loss_points']['value']:.2f} points of rank-1 lost",
                f"index_scale.py, {line['rank1']['n']} queries, 3 runs",
            )
        )
    million = index_scale(MILLION)
    peaks = f"{million['peak_mib']['build']:,.0f} and {million['peak_mib']['search']:,.0f}"
    first = duration(million["process_to_answer_s"]["median"])
    rates = ", ".join(f"{load['clients'][number]['queries_per_s']['median']:.1f}" for number in ("1", "8", "32"))
    asked = f"{ranks['queries']:,} queries"
    rows += [
        ("making the index of 1,000,000 rows", duration(million["build_s"]), "index_scale.py, one run"),
        ("peak memory of making it, and of searching", f"{peaks} MiB", "index_scale.py, one run each"),
        ("from the start of a process to its first answer among 1,000,000", first, "index_scale.py, 3 runs"),
        ("reading memory, two cores", f"{bandwidth() / 1e9:.1f} GB/s", "index_scale.py, 3 runs"),
        (
            "queries a second over HTTP, 1, 8 and 32 clients",
            rates,
            f"service_load.py, {load['requests']} requests, 3 runs",
        ),
        (f"exact ranks of {asked} against 1,000,000 rows", duration(ranks["seconds"]), "ranking_scale.py, one run"),
    ]
    return _table(("what", "figure", "script"), rows)


def row() -> str:
    """Return the table of what a row weighs."""
    parts, (_, pictures) = row_bytes(), thumbnail_bytes()
    at_a_million = "measured at 1,000,000 rows"
    where = {
        "vector": (f"float32 vector of {DIM}", "disk: in the table, and mapped beside the index", "4 bytes a number"),
        "table": ("the same with key, path, identity and what Lance adds", "disk", f"{at_a_million} without pictures"),
        "thumbnail": ("thumbnail of 256 pixels", "disk", f"mean of the {pictures} of the sample catalogue"),
        "kept": ("key, path and identity beside the index", "disk, mapped; in memory while it answers", at_a_million),
        "ivf-sq8": ("eight-bit codes in clusters (`ivf-sq8`)", "memory", "256 codes, 8 for its number, centres"),
        "hnsw-sq8": (
            "eight-bit codes and a graph (`hnsw-sq8`)",
            "memory",
            "256 codes, 65 links of 4, 12 for place",
        ),
        "ivf-rabitq": ("one-bit codes, eight-bit ones to refine (`ivf-rabitq`)", "memory", "40 more than `ivf-sq8`"),
    }
    rows = [(what, f"{parts[name]:,.0f}", place, source) for name, (what, place, source) in where.items()]
    return _table(("part of a row", "bytes", "where", "from"), rows)


def sizes() -> str:
    """Return the table of what catalogues weigh and take, a column a size."""
    parts, rate = row_bytes(), indexing_rate()
    gpu, indexed, encoded = gpu_rates()
    disk = parts["table"] + parts["thumbnail"]
    index = parts["kept"] + parts["vector"] + parts["ivf-sq8"]

    def times(weight: float) -> Callable[[int], str]:
        return lambda rows: amount(weight * rows)

    def clusters(rows: int) -> str:
        scanned = rows * DIM * min(1.0, SearchSettings().nprobe / num_clusters(rows))
        return duration((scanned + 4 * DIM * num_clusters(rows)) / bandwidth())

    lines: list[tuple[str, Callable[[int], str]]] = [
        ("the vectors alone", times(parts["vector"])),
        ("tables on disk, thumbnails included", times(disk)),
        ("index and what is kept beside it, on disk", times(index)),
        ("of these in memory: codes and keys", times(parts["ivf-sq8"] + parts["kept"])),
        ("the same with a graph", times(parts["hnsw-sq8"] + parts["kept"])),
        ("reading every vector once, two cores", lambda rows: duration(4 * DIM * rows / bandwidth())),
        ("reading 64 clusters of codes", clusters),
        (f"indexing, two cores ({rate:.1f} images a second)", lambda rows: duration(rows / rate)),
        ("indexing, one core (half of that)", lambda rows: duration(2 * rows / rate)),
        (f"indexing, one process and one {gpu} ({indexed:,.0f})", lambda rows: duration(rows / indexed)),
        (f"encoding alone on that GPU ({encoded:,.0f})", lambda rows: duration(rows / encoded)),
        *((f"what `index` chooses on {name}", _choice(memory)) for name, memory in MACHINES.items()),
    ]
    return _table(("rows", *(f"{size:,}" for size in SIZES)), ((name, *map(cell, SIZES)) for name, cell in lines))


def _choice(memory: int) -> Callable[[int], str]:
    return lambda rows: f"`{choose_index(rows, DIM, Budget(memory // 2, LATENCY)).backend}`"


def with_tables(text: str) -> str:
    """Return the page with its tables as they are now.

    Args:
        text: the whole page, holding all marks.

    Raises:
        ValueError: if a mark is missing.
    """
    for name, content in {"measured": measured(), "row": row(), "sizes": sizes()}.items():
        begin, end = (mark.format(name) for mark in MARKS)
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{content}\n{end}{after}"
    return text


def main() -> None:
    """Write the tables into the page, and print them."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(measured(), row(), sizes(), sep="\n")


if __name__ == "__main__":
    main()
