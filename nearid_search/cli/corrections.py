"""``nearid-search gallery confirm`` and the other corrections; each is one entry of the gallery's log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_search.cli.options import GalleryOption, JsonOption
from nearid_search.cli.suggest import suggest

if TYPE_CHECKING:
    from nearid_search.indexer.corrections.actions import GalleryCorrections
    from nearid_search.indexer.corrections.desk import Correction

ByOption = Annotated[str | None, typer.Option("--by", help="Who corrects. Default: the user of this process.")]
BecauseOption = Annotated[str | None, typer.Option("--because", help="Why; kept in the log.")]
PictureArgument = Annotated[str, typer.Argument(help="A picture: its file, its path in the gallery, or its key.")]
IdentityArgument = Annotated[str, typer.Argument(help="The identity.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``gallery``."""
    commands: tuple[Callable[..., None], ...] = (
        tag,
        confirm,
        reject,
        merge,
        split,
        rename,
        remove,
        history,
        undo,
        restore,
        suggest,
    )
    for command in commands:
        app.command()(command)


def confirm(
    picture: PictureArgument,
    identity: IdentityArgument,
    new: Annotated[bool, typer.Option("--new", help="It is the first view of a new identity.")] = False,
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Say that a picture shows an identity; one that is not in the gallery comes in as a view of it.

    Example: nearid-search gallery confirm photo.jpg chair-slatted
    """
    _correct(
        gallery, lambda corrections: corrections.confirm(picture, identity, new=new, by=by, because=because), json=json
    )


def reject(
    picture: Annotated[str, typer.Argument(help="A picture, as in `confirm`, or an identity.")],
    identity: Annotated[str, typer.Argument(help="The identity that it is not.")],
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Say that a picture does not show an identity, or that two identities are not the same.

    Example: nearid-search gallery reject photo.jpg chair-red-seat
    """
    _correct(gallery, lambda corrections: corrections.reject(picture, identity, by=by, because=because), json=json)


def merge(
    identities: Annotated[list[str], typer.Argument(help="The identities.")],
    into: Annotated[str, typer.Option(help="The one whose name stays.")],
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Make one identity of several.

    Example: nearid-search gallery merge chair-blue-cushion chair-red-seat --into chair-red-seat
    """
    _correct(gallery, lambda corrections: corrections.merge(identities, into=into, by=by, because=because), json=json)


def split(
    identity: IdentityArgument,
    pictures: Annotated[list[str], typer.Argument(help="Those of its pictures that show something else.")],
    into: Annotated[str, typer.Option("--as", help="Name of what they show.")],
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Make some pictures of an identity an identity of their own.

    Example: nearid-search gallery split chair-red-seat catalog/chair-red-seat/3.jpg --as chair-18
    """
    _correct(
        gallery, lambda corrections: corrections.split(identity, pictures, into=into, by=by, because=because), json=json
    )


def rename(
    old: Annotated[str, typer.Argument(help="What it is called.")],
    new: Annotated[str, typer.Argument(help="What it is to be called.")],
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Call an identity something else, now and in every later `index`.

    Example: nearid-search gallery rename chair-slatted chair-17
    """
    _correct(gallery, lambda corrections: corrections.rename(old, new, by=by, because=because), json=json)


def remove(
    target: Annotated[str, typer.Argument(help="An identity, or a picture as in `confirm`.")],
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Take an identity, or one picture, out of every answer; `undo` brings it back.

    Example: nearid-search gallery remove catalog/chair-red-seat/2.jpg
    """
    _correct(gallery, lambda corrections: corrections.remove(target, by=by, because=because), json=json)


def history(
    identity: Annotated[str | None, typer.Argument(help="Only what speaks of this identity.")] = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """List the corrections, the latest last: number, when, who, what, why, and what undid it.

    Example: nearid-search gallery history
    """
    from nearid_search.cli.correction_lines import print_history

    print_history(_of(gallery).history(identity), json=json)


def undo(
    entry: Annotated[
        int | None, typer.Argument(help="Number in the `history`. Default: the last that holds.", min=1)
    ] = None,
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Take one correction back.

    Example: nearid-search gallery undo
    """
    _correct(gallery, lambda corrections: corrections.undo(entry, by=by, because=because), json=json)


def restore(
    to: Annotated[str, typer.Argument(help="A version (`gallery info`), a tag, or an ISO 8601 time.")],
    by: ByOption = None,
    because: BecauseOption = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Make the gallery what it was: its images and the corrections that held; `undo` takes that back.

    Example: nearid-search gallery restore before-the-move
    """
    _correct(gallery, lambda corrections: corrections.restore(to, by=by, because=because), json=json)


def tag(
    name: Annotated[str | None, typer.Argument(help="A name for the gallery as it is now. Default: list them.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Forget the name.")] = False,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Name the gallery as it is now, for `restore` and `query --as-of`; without a name, list the names.

    Example: nearid-search gallery tag before-the-move
    """
    from nearid_search.cli.correction_lines import print_tags

    corrections = _of(gallery)
    if name is None and delete:
        raise typer.BadParameter("give the name to forget", param_hint="NAME")
    if name is not None:
        corrections.untag(name) if delete else corrections.tag(name)
    print_tags([tag for tag in corrections.tags() if delete or name in (None, tag.tag)], json=json)


def _correct(gallery: Path | None, make: Callable[[GalleryCorrections], Correction], *, json: bool) -> None:
    from nearid_search.cli.correction_lines import print_correction

    print_correction(make(_of(gallery)), json=json)


def _of(gallery: Path | None) -> GalleryCorrections:
    from nearid_search.indexer.gallery import Gallery

    return Gallery.open(gallery).corrections
