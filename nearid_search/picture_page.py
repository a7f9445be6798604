"""HTML pages that hold their pictures, so that they open anywhere."""

from __future__ import annotations

import base64
from importlib.resources import files
from pathlib import Path
from typing import Any

from nearid_search.durable_file import write_file
from nearid_search.errors import ConfigError


def write_page(path: Path, template: str, **values: Any) -> None:  # noqa: ANN401  (what the template shows)
    """Fill a template that stands beside this file and write the page.

    Args:
        path: the HTML file; its folder must exist.
        template: name of the template.
        values: what it shows; text is escaped.

    Raises:
        ConfigError: if the file cannot be written.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("nearid_search") / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template(template).render(**values)
    try:
        write_file(path, page.encode())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}: give a file somewhere else") from error


def data_uri(jpeg: bytes) -> str:
    """Return a JPEG picture as the source of an ``img``."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
