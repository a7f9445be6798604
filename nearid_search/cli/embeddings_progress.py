"""What a person sees while embeddings are imported or exported: the plan, bars, and what came of it."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from nearid_search.cli.progress import Bars
from nearid_search.cli.render import note, print_json
from nearid_search.indexer.exchange.import_plan import ImportPlan, ImportProgress
from nearid_search.indexer.search.index_policy import Choice
from nearid_search.reports import ExportReport, ImportReport, TableExportReport


class EmbeddingsProgress(Bars):
    """The plan line and a bar for each pass over the embeddings, on stderr.

    Args:
        quiet: show neither.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._quiet = quiet
        stages = ("checking", "importing", "index", "exporting")
        self._tasks = {name: self._bar.add_task(name, total=None, visible=False) for name in stages}

    def show_plan(self, plan: ImportPlan) -> None:
        """Print what an import will do, above the bars."""
        if not self._quiet:
            self._bar.console.print(Text(plan.describe()), soft_wrap=True)

    def imported(self, state: ImportProgress) -> None:
        """Move the bar of an import's pass."""
        self._advance(state.stage, state.done, state.total)

    def show_choice(self, choice: Choice) -> None:
        """Say how the gallery is to be searched, where that is more than scanning a few vectors."""
        if not self._quiet and choice.noteworthy:
            note(f"search: {choice.backend} {choice.reason}")

    def show_step(self, step: str, done: int, total: int) -> None:
        """Move the bar of the search index."""
        self._bar.update(self._tasks["index"], description=f"index: {step}")
        self._advance("index", done, total)

    def exported(self, done: int, total: int) -> None:
        """Move the bar of an export."""
        self._advance("exporting", done, total)

    def _advance(self, stage: str, done: int, total: int) -> None:
        if not self._quiet:
            self._bar.start()
            self._bar.update(self._tasks[stage], completed=done, total=total, visible=True)


def print_import_report(report: ImportReport, *, json: bool) -> None:
    """Print the end of an import."""
    if json:
        print_json(report.as_dict())
        return
    line = (
        f"{report.images} images of {report.identities} identities in {report.gallery}: {report.added} added, "
        f"{report.updated} updated, {report.unchanged} unchanged, "
        f"{report.duplicates} duplicates ({report.seconds:.1f} s)"
    )
    Console(soft_wrap=True).print(Text(line))


def print_export_report(report: ExportReport | TableExportReport, *, json: bool) -> None:
    """Print the end of an export of embeddings, a table or a dataset."""
    if json:
        print_json(report.as_dict())
        return
    what = f"embeddings, {report.dim} wide," if isinstance(report, ExportReport) else report.what
    if what == "fiftyone":
        what = "samples for FiftyOne"
    Console(soft_wrap=True).print(Text(f"{report.exported} {what} in {report.file} ({report.seconds:.1f} s)"))
