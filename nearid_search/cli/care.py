"""``nearid-search gallery verify | repair | migrate``: is a gallery whole, what mends it, and a new encoder for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from nearid_search.cli.options import DeviceOption, GalleryOption, JsonOption
from nearid_search.cli.progress import OneBar
from nearid_search.cli.render import note, print_json
from nearid_search.config import EncoderConfig

if TYPE_CHECKING:
    from nearid_search.indexer.care.findings import Finding, VerifyReport
    from nearid_search.indexer.care.repair import RepairReport
    from nearid_search.indexer.catalogue.migrate import MigrationPlan


def register(app: typer.Typer) -> None:
    """Add the commands to ``gallery``."""
    commands: tuple[Callable[..., None], ...] = (verify, repair, migrate)
    for command in commands:
        app.command()(command)


def verify(
    gallery: GalleryOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only compare files with their sums; look at no row and no thumbnail.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Look at every file of a gallery; exit code 1 if one is damaged.

    Example: nearid-search gallery verify
    """
    from nearid_search.indexer.care.verify import verify_gallery

    with OneBar("comparing files", quiet=json) as progress:
        report = verify_gallery(gallery, quick=quick, on_file=progress.advance)
    if json:
        print_json(report.as_dict())
    else:
        _print_findings(report)
    if report.damaged:
        raise typer.Exit(1)


def repair(
    gallery: GalleryOption = None,
    head: Annotated[
        Path | None, typer.Option(help="Folder of the head that made it, if its copy is damaged and none that ships.")
    ] = None,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Fit a damaged calibration again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    device: DeviceOption = EncoderConfig.device,
    json: JsonOption = False,
) -> None:
    """Mend what can be mended; damaged files stay beside their successors, as NAME.damaged.

    Example: nearid-search gallery repair --dry-run
    """
    from nearid_search.indexer.care.repair import repair_gallery
    from nearid_search.indexer.care.verify import verify_gallery

    if dry_run:
        found = verify_gallery(gallery)
        print_json(found.as_dict()) if json else _print_findings(found)
        return
    with OneBar("looking again at pictures", quiet=json) as progress:
        show: Callable[[VerifyReport], None] = (lambda _found: None) if json else _print_findings
        report = repair_gallery(gallery, head=head, device=device, on_plan=show, on_rescue=progress.advance)
    if calibrate and "nearid-search calibrate" in report.anew:
        from nearid_search.eval.calibrate import calibrate_gallery
        from nearid_search.indexer.gallery import Gallery

        calibrate_gallery(Gallery.open(gallery), on_warning=note)
        report.anew.remove("nearid-search calibrate")
    print_json(report.as_dict()) if json else _print_repair(report)
    if not report.whole:
        raise typer.Exit(1)


def migrate(
    gallery: GalleryOption = None,
    backbone: Annotated[
        str | None, typer.Option(help="A name from `nearid-search models`. Default: the gallery's.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="auto, float32, bfloat16 or float16. Default: the gallery's.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help="Folder of a trained head, 'auto': the one that ships for the backbone, 'none': without."),
    ] = None,
    foreground: Annotated[str | None, typer.Option(help="none, auto or mask. Default: the gallery's.")] = None,
    masks: Annotated[Path | None, typer.Option(help="For --foreground mask: the folder of masks.")] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Go on without the pictures whose files are gone.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    device: DeviceOption = EncoderConfig.device,
    json: JsonOption = False,
) -> None:
    """Give a gallery another encoder while queries go on; corrections and identities stay, and a stopped run goes on.

    Example: nearid-search gallery migrate --head none --dry-run
    """
    from nearid_search.indexer.catalogue.migrate import migrate_gallery
    from nearid_search.indexer.encoder_choice import find_encoder_config

    chosen = find_encoder_config(
        gallery, backbone=backbone, dtype=dtype, device=device, head=head, foreground=foreground, masks=masks
    )
    with OneBar("encoding", quiet=json) as progress:
        report = migrate_gallery(
            gallery,
            encoder_config=chosen,
            drop_missing=drop_missing,
            dry_run=dry_run,
            on_plan=(lambda plan: _print_plan(plan, json=json, dry_run=dry_run)),
            on_picture=progress.advance,
        )
    if report is None:
        return
    if json:
        print_json(report.as_dict())
        return
    for failure in report.failures:
        note(f"not in the gallery any more: {failure.path}: {failure.error}")
    words = f"{report.encoded} pictures encoded by {report.plan.after}; gone with the old embeddings: "
    Console(soft_wrap=True).print(Text(words + ", ".join(report.plan.lost)))


def _print_findings(report: VerifyReport) -> None:
    for finding in report.findings:
        Console(soft_wrap=True).print(_line(finding))
    looked = f"{report.files} files" + ("" if report.images is None else f" and {report.images:,} images")
    count = len(report.damaged)
    words = f"{count} damaged: mend with nearid-search gallery repair" if count else "nothing is damaged"
    Console(soft_wrap=True).print(Text(f"{looked} looked at: {words}"))


def _line(finding: Finding) -> Text:
    style = "red" if finding.damage else "dim"
    return Text(f"{finding.file} {finding.what}; repair: {finding.repair}", style=style)


def _print_repair(report: RepairReport) -> None:
    console = Console(soft_wrap=True)
    for line in report.mended:
        console.print(Text(line, style="green"))
    for path in report.rescued.unproven if report.rescued else ():
        console.print(Text(f"{path}: taken or named as it could be read: look at it", style="yellow"))
    for failure in report.rescued.lost if report.rescued else ():
        console.print(Text(f"{failure.path}: lost; {failure.error}", style="red"))
    for finding in report.remaining:
        console.print(Text(f"{finding.file} {finding.what}", style="red"))
    for path in report.aside:
        note(f"set aside: {path}")
    for command in report.anew:
        note(f"to measure again: {command}")
    console.print(Text("the gallery is whole" if report.whole else "not all could be mended"))


def _print_plan(plan: MigrationPlan, *, json: bool, dry_run: bool) -> None:
    if json:
        if dry_run:
            print_json(asdict(plan))
        return
    note(f"{plan.gallery}: {plan.images} pictures, from {plan.before} to {plan.after}; {plan.done} are encoded already")
    note(f"goes with the old embeddings: {', '.join(plan.lost)}; the search index is made anew")
    for path in plan.missing:
        note(f"its file is gone: {path}")
