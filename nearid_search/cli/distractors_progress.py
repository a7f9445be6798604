"""What a person sees while distractors are made: the plan, a bar for each pass, and what came of it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from nearid_search.cli.progress import Bars
from nearid_search.cli.render import note, print_json
from nearid_search.trainer.distractors.build import DistractorReport, Listener
from nearid_search.trainer.distractors.config import DistractorConfig
from nearid_search.trainer.distractors.plan import DistractorPlan, plan_distractors


class DistractorProgress(Bars):
    """The plan line and two progress bars, on stderr.

    Args:
        config: what the plan is made with.
        quiet: show neither.
    """

    def __init__(self, config: DistractorConfig, *, quiet: bool) -> None:
        super().__init__(TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._config = config
        self._tasks = {name: self._bar.add_task(name, total=None, visible=False) for name in ("masks", "pictures")}
        self.listener = Listener() if quiet else Listener(self._planned, self._advanced)

    def _planned(self, plan: DistractorPlan) -> None:
        note(plan.describe(self._config))

    def _advanced(self, stage: str, done: int, total: int) -> None:
        self._bar.start()
        self._bar.update(self._tasks[stage], completed=done, total=total, visible=True)


def print_distractor_plan(catalogue: Path, config: DistractorConfig, identities: Path | None, *, json: bool) -> None:
    """Print what would be made; nothing is written."""
    plan = plan_distractors(catalogue, config, identities)
    if json:
        print_json({"dry_run": True, "views": len(plan.views), "split_sizes": plan.split_sizes, "single": plan.single})
        return
    Console(soft_wrap=True).print(Text(plan.describe(config)))


def print_report(report: DistractorReport, *, json: bool) -> None:
    """Print the end of a run."""
    if json:
        print_json(report.as_dict())
        return
    for failure in report.failures:
        note(f"left out {failure.path}: {failure.error}")
    made = ", ".join(f"{count} {source}" for source, count in report.sources.items())
    masks = ", ".join(f"{count} {origin}" for origin, count in report.masks.items()) or "none"
    lines = [
        f"{report.pictures} pictures of {report.views} views in {report.out}: distractors {made}; masks {masks} "
        f"({report.seconds:.1f} s)"
    ]
    lines += [
        f"not made: {what} of {count} views: {reason}"
        for what, reasons in report.rejected.items()
        for reason, count in reasons.items()
    ]
    if report.preview is not None:
        lines.append(f"look at {report.preview} before you train on it: nearid-search train {report.out}")
    Console(soft_wrap=True).print(Text("\n".join(lines)))
