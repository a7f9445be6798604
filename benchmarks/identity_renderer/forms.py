"""All kinds of packages there are."""

from __future__ import annotations

from identity_renderer.design import Form
from identity_renderer.forms_boxed import BOXED
from identity_renderer.forms_round import ROUND
from identity_renderer.pieces import Build, Piece

KINDS: dict[str, Build] = {**BOXED, **ROUND}


def build_form(form: Form) -> list[Piece]:
    """Return the pieces of a package, in any size and position.

    Raises:
        KeyError: there is no such kind of package.
    """
    return KINDS[form.kind](form.sizes)
