"""The application: its verbs, and the one place where errors become exit codes.

Exit codes: 0 done, 1 one of our errors, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from nearid_search import __version__
from nearid_search.cli import (
    agreement,
    calibrate,
    distractors,
    gallery,
    index,
    models,
    query,
    score_pairs,
    serve,
    train,
)
from nearid_search.cli import eval as evaluation
from nearid_search.cli.memory_cap import capped_memory
from nearid_search.cli.plain_text import one_line
from nearid_search.errors import ConfigError, NearIDError

app = typer.Typer(
    name="nearid-search",
    help="Find the same object, not the one that merely looks like it in the same place.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help would double the time that --help takes
)
app.command("index")(index.index)
app.command("query")(query.query)
app.command("serve")(serve.serve)
app.command("calibrate")(calibrate.calibrate)
app.command("train")(train.train)
app.command("eval")(evaluation.evaluate)
app.command("distractors")(distractors.distractors)
app.command("agreement")(agreement.agreement)
app.command("score-pairs")(score_pairs.score_pairs)
app.add_typer(models.app, name="models")
app.add_typer(gallery.app, name="gallery")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nearid-search {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit."""
    # Lance's own log lines would interleave with ours; merging data files would take more memory the more there are.
    # Variables the user has set stand.
    os.environ.setdefault("LANCE_LOG", "error")
    os.environ.setdefault("LANCE_DEFAULT_FRAGMENT_READAHEAD", "1")
    # An interrupt can hit LanceDB between making a coroutine and awaiting it; Python would say so beside our one line.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: the command line after the program's name.

    Returns:
        The exit code.
    """
    try:
        _require_readable(arguments)
        with capped_memory():
            code = app(arguments, standalone_mode=False)
            sys.stdout.flush()  # what a full disk refuses is to be an error here, not a remark at exit
    except BrokenPipeError:
        # The reader has gone, as in `| head`: not an error. stdout is replaced so that the exit does not trip over it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (NearIDError, MemoryError, OSError) as error:
        if "--debug" in arguments:
            raise
        _print_error(_in_one_line(error))
        return 1
    except typer.TyperException as error:
        show = getattr(error, "show", None)  # usage errors know their command and print its usage line
        if show is not None:
            show()
        else:
            _print_error(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _print_error("interrupted")
        return 130
    if code == 130:  # Typer turns an interrupt inside a command into this code
        _print_error("interrupted")
    return code if isinstance(code, int) else 0


def _require_readable(arguments: list[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{argument!a} is not valid UTF-8: rename the file, or type it in UTF-8") from None


def _in_one_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory: end other programs, raise the limit, or give a smaller --batch-size"
    if isinstance(error, OSError) and not isinstance(error, NearIDError):
        where = "" if error.filename is None else f" ({error.filename})"
        return f"the system refuses: {error.strerror or error}{where}"
    return str(error)


def _print_error(message: str) -> None:
    from rich.console import Console
    from rich.text import Text

    line = one_line(" ".join(message.split("\n")))
    Console(stderr=True, soft_wrap=True).print(Text(f"error: {line}", style="bold red"))
