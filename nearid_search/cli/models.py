"""``nearid-search models``: which backbones can be used here, and heads brought in and taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import JsonOption
from nearid_search.config import EncoderConfig
from nearid_search.errors import ConfigError

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def models(context: typer.Context, json: JsonOption = False) -> None:
    """List the backbones, which are usable on this machine, why the rest are not, and for which a trained head ships.

    Example: nearid-search models
    """
    if context.invoked_subcommand is not None:
        return
    from nearid_search.backbones.registry import list_backbones
    from nearid_search.cli.backbone_table import print_backbones

    print_backbones(list_backbones(), json=json)


@app.command("import")
def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="Checkpoint of Aleksandar/nearid-siglip2, or one in its layout.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the backbone and the head.")],
    heads: Annotated[
        int | None, typer.Option("--heads", min=1, help="Attention heads, if no config.json beside the file says.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Turn a published NearID checkpoint into a backbone and the head that reads it.

    Example: nearid-search models import model.safetensors --out nearid-siglip2
    """
    from nearid_search.cli import render
    from nearid_search.nearid_checkpoint import import_nearid_checkpoint

    imported = import_nearid_checkpoint(file, out, num_heads=heads)
    if json:
        render.print_json(imported.as_dict())
    else:
        render.note(f"head {imported.head} in {imported.folder}, for backbone {imported.backbone}")


@app.command("export")
def export(
    head: Annotated[
        str,
        typer.Argument(
            help=f"Folder of a trained head, or 'auto': the one that ships for the default, {EncoderConfig.backbone}."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The ONNX file to write.")],
    json: JsonOption = False,
) -> None:
    """Write a head and the backbone it was trained on as one ONNX file, checked against the original.

    Example: nearid-search models export head --out encoder.onnx
    """
    from dataclasses import asdict

    from nearid_search.backbones.registry import canonical_name
    from nearid_search.cli import render
    from nearid_search.onnx_export import export_head
    from nearid_search.shipped_heads import find_head

    folder = find_head(head, canonical_name(EncoderConfig.backbone))
    if folder is None:
        raise ConfigError(
            f"{head!r} stands for no head of {EncoderConfig.backbone}: give the folder of a trained head to export"
        )
    metadata = export_head(folder, out)
    if json:
        render.print_json({"path": str(out), **asdict(metadata)})
    else:
        render.note(f"{metadata.backbone_fingerprint}+{metadata.head_fingerprint} in {out}")
