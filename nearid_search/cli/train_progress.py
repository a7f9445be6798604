"""What a person sees of a training run: notes, two bars and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from nearid_search.cli.progress import Bars
from nearid_search.cli.render import note, print_json
from nearid_search.trainer.extract import ExtractProgress
from nearid_search.trainer.recipe import Listener, TrainReport

if TYPE_CHECKING:
    from nearid_search.trainer.fit import StepReport


class TrainProgress(Bars):
    """Notes and progress bars on stderr: while the dataset is checked, the backbone runs and the head learns.

    Args:
        quiet: show neither.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        self._checks = self._bar.add_task("checking", total=None, figures="", visible=False)
        self._features = self._bar.add_task("features", total=None, figures="", visible=False)
        self._steps = self._bar.add_task("training", total=None, figures="", visible=False)
        self._scores = ""
        self.listener = Listener() if quiet else Listener(self._note, self._hashed, self._extracted, self._stepped)

    def _note(self, text: str) -> None:
        note(text)

    def _hashed(self, done: int, total: int) -> None:
        self._bar.start()
        self._bar.update(self._checks, completed=done, total=total, visible=True)

    def _extracted(self, state: ExtractProgress) -> None:
        failed = f"{state.failed} failed" if state.failed else ""
        self._bar.start()
        self._bar.update(self._features, completed=state.done, total=state.total, figures=failed, visible=True)

    def _stepped(self, report: StepReport) -> None:
        if report.scores is not None:
            self._scores = f"  val SSR {report.scores.ssr:.3f}  PA {report.scores.pa:.3f}"
            if report.scores.alarm:
                self._bar.console.print(Text(f"step {report.step}: {report.scores.alarm}", style="yellow"))
        figures = f"loss {report.loss:.3f}{self._scores}"
        self._bar.start()
        self._bar.update(self._steps, completed=report.step, total=report.total, figures=figures, visible=True)


def print_train_report(report: TrainReport, *, json: bool) -> None:
    """Print the end of a training run."""
    if json:
        print_json(report.as_dict())
        return
    scores, frozen = report.scores, report.frozen
    for failure in report.failures:
        note(f"left out {failure.path}: {failure.error}")
    Console(soft_wrap=True).print(
        Text(
            f"head {report.head} in {report.out}: best after step {report.best_step} of {report.steps}; "
            f"val SSR {scores.ssr:.3f}, PA {scores.pa:.3f} (n = {scores.n_samples}), "
            f"rank-1 {scores.rank1:.3f} (n = {scores.n_queries}); "
            f"frozen: SSR {frozen.ssr:.3f}, PA {frozen.pa:.3f}, rank-1 {frozen.rank1:.3f}; {report.seconds:.1f} s\n"
            f"use it with: nearid-search index ./catalog --head {report.out} --rebuild"
        )
    )
