"""How the tuning of re-ranking looks: a bar while it measures, and what it found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.cli.progress import OneBar
from nearid_search.cli.render import note, print_json, print_whole
from nearid_search.config import TuneConfig
from nearid_search.indexer.search.rerank_record import RerankRecord


def run_rerank_tuning(gallery: Path | None, config: TuneConfig, *, budget_ms: float, device: str, json: bool) -> None:
    """Measure re-ranking on a gallery and print what helps."""
    from nearid_search.engine import SearchEngine
    from nearid_search.eval.rerank_tuning import tune_rerank
    from nearid_search.indexer.gallery import Gallery

    has_encoder = Gallery.open(gallery).manifest.encoder.backbone is not None
    engine = SearchEngine.open(gallery, device=device, encode=has_encoder, rerank="none", on_warning=note)
    with OneBar("re-ranking", quiet=json) as progress:
        record = tune_rerank(engine, config, budget_ms=budget_ms, on_query=progress.advance)
    print_rerank_tuning(record, json=json)


def print_rerank_tuning(record: RerankRecord, *, json: bool) -> None:
    """Print what was measured, rung by rung, and which one is switched on."""
    if json:
        print_json(asdict(record))
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("rung")
    for heading in ("rank-1", "gain in points (95 %)", "p50", "p95", "out of time"):
        table.add_column(heading, justify="right")
    for name, rung in record.rungs.items():
        between = "" if rung.gain_low is None else f" ({rung.gain_low:+.1f} to {rung.gain_high:+.1f})"
        times = (f"{rung.p50_ms:.1f} ms", f"{rung.p95_ms:.1f} ms", f"{rung.stopped} of {rung.queries}")
        table.add_row(name, f"{rung.rank1:.3f}", f"{rung.gain:+.1f}{between}", *times)
    print_whole(table)
    for name, reason in record.skipped.items():
        note(f"{name} was not measured: {reason}")
    words = "nothing helps for sure, so queries are not re-ranked"
    if record.chosen is not None:
        words = f"{record.chosen} is switched on for queries"
    asked = f"{record.queries} look-alikes of {record.rows:,} images, {100 * record.plain_rank1:.1f} right without"
    Console(soft_wrap=True).print(Text(f"{words} (asked {asked}; --rerank none leaves it out)"))
