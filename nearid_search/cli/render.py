"""How results look: tables for people on a terminal, JSON for programs, notes and progress on stderr."""

from __future__ import annotations

import json as jsonlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nearid_search.cli.figures import figure_in_words
from nearid_search.cli.plain_text import one_line, short_line
from nearid_search.cli.progress import Bars
from nearid_search.indexer.catalogue.run import Progress as IndexState
from nearid_search.indexer.catalogue.survey import Survey
from nearid_search.indexer.search.index_policy import Choice
from nearid_search.records import Failure, QueryAnswer
from nearid_search.reports import IndexReport

_VERDICT_STYLE = {"match": "bold green", "ambiguous": "bold yellow", "unknown": "bold red"}
_FAILURES_SHOWN = 20
_WIDEST = 10_000  # characters


def print_json(value: Any) -> None:  # noqa: ANN401  (anything JSON can hold)
    """Print one JSON value on one line of stdout."""
    sys.stdout.write(jsonlib.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line for people on stderr."""
    Console(stderr=True, soft_wrap=True).print(Text(text))


class _Rate(ProgressColumn):
    """Images or vectors a second since the start."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task."""
        return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "", style="cyan")


class IndexProgress(Bars):
    """The plan line and the progress bar of an indexing run, on stderr.

    Args:
        quiet: show neither.
        encoder: which encoder it is, in words; part of the plan.
    """

    def __init__(self, *, quiet: bool, encoder: str) -> None:
        self._quiet = quiet
        self._encoder = encoder
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
        )
        self._task = self._bar.add_task("indexing", total=None, failed="", unit="images", start=True, visible=False)
        self._index_task = self._bar.add_task("search index", total=None, failed="", unit="vectors", visible=False)

    def show_plan(self, survey: Survey) -> None:
        """Print the plan; start the bar if there is something to read."""
        if self._quiet:
            return
        for line in plan_lines(survey, self._encoder):
            note(line)
        if survey.plan.to_read:
            self._bar.update(self._task, total=len(survey.plan.to_read), visible=True)
            self._bar.start()

    def advance(self, state: IndexState) -> None:
        """Move the bar."""
        if not self._quiet:
            failed = f"{state.failed} unreadable" if state.failed else ""
            self._bar.update(self._task, completed=state.done, failed=failed)

    def show_choice(self, choice: Choice) -> None:
        """Say how the gallery is to be searched, where that is more than scanning a few vectors."""
        if not self._quiet and choice.noteworthy:
            note(f"search: {choice.backend} {choice.reason}")

    def show_step(self, step: str, done: int, total: int) -> None:
        """Move the bar of the search index."""
        if not self._quiet:
            self._bar.update(self._task, visible=False)
            self._bar.update(
                self._index_task, description=f"search index: {step}", completed=done, total=total, visible=True
            )
            self._bar.start()


def plan_lines(survey: Survey, encoder: str) -> list[str]:
    """Return the plan, and with which encoder, as lines for people."""
    lines = [f"{survey.catalogue}: {survey.plan.describe()}; {encoder}", *survey.scan.remarks]
    if survey.scan.num_other:
        lines.append(f"{survey.scan.num_other} files are no images and are left out")
    source = getattr(survey.labels, "source", None)
    if source is not None:
        unlisted = survey.labels.num_unlisted(file.path for file in survey.scan.files)  # type: ignore[union-attr]
        lines.append(
            f"identities from {source}" + (f"; {unlisted} images it does not list are their own" if unlisted else "")
        )
    return lines


def print_dry_run(
    catalogue: Path, gallery: Path | None, identities: str | None, *, encoder: str, rebuild: bool, json: bool
) -> None:
    """Print what indexing would do; nothing is written."""
    from nearid_search.indexer.catalogue.rebuild import refuse_to_lose_imports
    from nearid_search.indexer.catalogue.survey import survey_catalogue
    from nearid_search.indexer.gallery import Gallery
    from nearid_search.indexer.location import locate_gallery
    from nearid_search.indexer.manifest import read_manifest

    folder = locate_gallery(gallery)
    if rebuild:
        refuse_to_lose_imports(folder)
    existing = None if rebuild or read_manifest(folder) is None else Gallery.open(folder)
    survey = survey_catalogue(catalogue, folder=folder, gallery=existing, identities=identities)
    plan = survey.plan
    if json:
        print_json(
            {
                "gallery": str(folder),
                "dry_run": True,
                "encoder": encoder,
                "indexed": plan.num_indexed,
                "new": len(plan.new),
                "changed": len(plan.changed),
                "moved": len(plan.moved),
                "gone": len(plan.gone),
                "unreadable": plan.num_unreadable,
            }
        )
        return
    for line in plan_lines(survey, encoder):
        sys.stdout.write(line + "\n")


def print_index_report(report: IndexReport, *, json: bool) -> None:
    """Print the end of an indexing run."""
    if json:
        print_json(report.as_dict())
        return
    out = Console(soft_wrap=True)
    rate = f", {report.images_per_second:.1f} images/s" if report.images_per_second else ""
    out.print(
        Text(
            f"{report.images} images of {report.identities} identities in {report.gallery}: {report.added} added, "
            f"{report.updated} updated, {report.removed} removed, {report.duplicates} duplicates, "
            f"{len(report.failures)} failed ({report.seconds:.1f} s{rate})"
        )
    )
    if report.corrections:
        count = f"{report.corrections} correction" + ("" if report.corrections == 1 else "s")
        note(f"{count} applied to what the catalogues say: nearid-search gallery history")
    if report.failures:
        print_whole(_failure_table(report.failures[:_FAILURES_SHOWN]), stderr=True)
    for doubt in report.doubts:
        pictures = ", ".join(one_line(picture.path or picture.key) for picture in doubt.pictures)
        note(f"{doubt.describe()}: {pictures}")
    if report.doubts:
        names = list(dict.fromkeys(doubt.identities[0] for doubt in report.doubts))
        words = ["nearid-search", "gallery", "suggest", *names, "--html", "doubts.html", "--gallery", report.gallery]
        note(f"to see these pictures and what to type: {shlex.join(words)}")
    if len(report.failures) > _FAILURES_SHOWN:
        note(f"and {len(report.failures) - _FAILURES_SHOWN} more: nearid-search gallery info --failures")


def print_answer(answer: QueryAnswer, *, json: bool) -> None:
    """Print one answer."""
    if json:
        print_json(answer.as_dict())
        return
    out = Console(soft_wrap=True)
    headline = Text.assemble((answer.query, "bold"), "  ", (answer.verdict, _VERDICT_STYLE[answer.verdict]))
    headline.append(f"  {answer.identity or 'none of these for sure'}")
    if answer.margin is not None:
        headline.append(f"  margin {answer.margin:.3f}")
    if answer.confidence is not None:
        headline.append(f"  confidence {answer.confidence:.2f}")
    if not answer.calibrated:
        headline.append("  (provisional: not calibrated)", style="dim")
    if answer.rerank is not None:
        headline.append(f"  ({answer.rerank.in_words()})", style="dim")
    out.print(headline)
    if not answer.matches:
        out.print("  no image to compare with: the gallery or the filter is empty")
        return
    table = Table(show_edge=False, header_style="dim")
    for heading, justify in (
        ("rank", "right"),
        ("identity", "left"),
        ("score", "right"),
        ("behind", "right"),
        ("support", "right"),
        ("best view", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for match in answer.matches:
        behind = f"-{answer.matches[0].score - match.score:.3f}" if match.rank > 1 else ""
        table.add_row(
            str(match.rank),
            Text(match.identity),
            f"{match.score:.3f}",
            behind,
            str(match.support),
            Text(match.images[0].path or ""),
        )
    print_whole(table)


def print_gallery_info(info: dict[str, Any], failures: Sequence[Failure] | None, *, json: bool) -> None:
    """Print what a gallery says about itself."""
    if json:
        listed = {} if failures is None else {"failures": [{"path": f.path, "error": f.error} for f in failures]}
        print_json(info | listed)
        return
    table = Table(show_header=False, show_edge=False)
    for name, value in info.items():
        table.add_row(Text(name, style="dim"), Text(_in_words(value)))
    print_whole(table)
    if failures:
        print_whole(_failure_table(failures))


def _in_words(value: Any) -> str:  # noqa: ANN401  (anything JSON can hold)
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return "\n".join(_lines_of(value)) or "auto"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _lines_of(facts: dict[str, Any]) -> Iterator[str]:
    """Yield a line a fact; facts within a fact stand indented below it."""
    for name, value in facts.items():
        if isinstance(value, dict) and "n_clusters" in value:
            yield f"{name} {figure_in_words(value)}"
        elif isinstance(value, dict):
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines_of(value))
        elif value is not None:
            yield f"{name} {_in_words(value)}"


def print_whole(table: Table, *, stderr: bool = False) -> None:
    """Print a table as wide as its content: a path that is broken into lines cannot be copied."""
    console = Console(stderr=stderr)
    natural = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    Console(stderr=stderr, width=max(console.width, natural)).print(table)


def _failure_table(failures: Sequence[Failure]) -> Table:
    table = Table(show_edge=False, header_style="dim", title="not indexed", title_justify="left")
    table.add_column("file", overflow="fold")
    table.add_column("reason", overflow="fold")
    for failure in failures:
        table.add_row(Text(short_line(failure.path)), Text(one_line(failure.error)))
    return table
