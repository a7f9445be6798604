"""``nearid-search models``: which backbones can be used here."""

from __future__ import annotations

from nearid_search.cli.options import JsonOption


def models(json: JsonOption = False) -> None:
    """List the backbones, which are usable on this machine and why the rest are not.

    Example: nearid-search models
    """
    from nearid_search.backbones.registry import list_backbones
    from nearid_search.cli import render

    render.print_backbones(list_backbones(), json=json)
