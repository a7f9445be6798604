"""The Dockerfile, linted and compared with the repository: whether it builds is for a machine with an engine."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import typer.main

from nearid_search.cli.app import app
from nearid_search.errors import ConfigError
from nearid_search.indexer.location import GALLERY_DIRNAME, GALLERY_VARIABLE
from nearid_search.server.gate import OPEN_PATHS
from nearid_search.server.tokens import TOKEN_VARIABLE, require_token

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "Dockerfile"
if not DOCKERFILE.exists():
    pytest.skip("the Dockerfile is not part of what is installed", allow_module_level=True)
HADOLINT = Path(sys.executable).with_name("hadolint")


def instructions(text: str) -> list[tuple[str, str]]:
    """Every instruction and its arguments, without comments, on one line."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = re.findall(r"^([A-Z]+)\s+(.*)$", kept.replace("\\\n", " "), re.MULTILINE)
    return [(name, " ".join(arguments.split())) for name, arguments in found]


ALL = instructions(DOCKERFILE.read_text())
LAST = ALL[max(place for place, (name, _) in enumerate(ALL) if name == "FROM") :]


def values(name: str, within: list[tuple[str, str]] = LAST) -> list[str]:
    return [arguments for instruction, arguments in within if instruction == name]


def lint(text: str) -> list[str]:
    command = [str(HADOLINT), "--no-color", "--format", "json", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return [finding["code"] for finding in json.loads(done.stdout)]


def test_the_linter_has_nothing_to_say_and_would_say_it() -> None:
    text = DOCKERFILE.read_text()
    assert lint(text) == []
    assert "DL3002" in lint(text.replace("USER 10001:10001", "USER root"))
    assert "DL3006" in lint(re.sub(r"python:\S+", "python", text))


def test_it_runs_as_nobody_in_particular_from_a_base_of_one_version() -> None:
    (user,) = values("USER")
    assert all(int(part) > 0 for part in user.split(":"))
    for base in values("FROM", ALL):
        assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+( AS build)?", base)
    version = values("FROM")[0].removeprefix("python:").split(".")[:2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {'.'.join(version)}" in project["classifiers"]


def test_what_it_copies_and_installs_is_there() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {
        source for line in values("COPY", ALL) if not line.startswith("--from") for source in line.split(" ")[:-1]
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for folder in project["tool"]["setuptools"]["package-dir"].values():
        assert folder in copied
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= copied
    extras = set(project["project"]["optional-dependencies"])
    (default,) = (line.removeprefix("EXTRAS=") for line in values("ARG", ALL))
    documented = re.findall(r"--build-arg EXTRAS=(\w+)", DOCKERFILE.read_text() + (ROOT / "docs/how-to.md").read_text())
    assert {default, "serve", *documented} <= extras
    assert any('".[${EXTRAS},serve]"' in line for line in values("RUN", ALL))


def test_it_holds_no_secret() -> None:
    assert not [
        line for name in ("ENV", "ARG") for line in values(name, ALL) if re.search("(?i)token|secret|key", line)
    ]


def test_its_command_is_one_of_ours_and_wants_a_token() -> None:
    (entry,), (verb, *given) = (json.loads(values(name)[0]) for name in ("ENTRYPOINT", "CMD"))
    assert entry in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    serve = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    known = {option for parameter in serve.params for option in parameter.opts}
    options = dict(zip(given[::2], given[1::2], strict=True))
    assert options.keys() <= known
    assert values("EXPOSE") == [options["--port"]]
    with pytest.raises(ConfigError, match=TOKEN_VARIABLE):
        require_token(options["--host"], (), insecure=False)
    (volume,) = values("VOLUME")
    assert f"{GALLERY_VARIABLE}={volume}/{GALLERY_DIRNAME}" in values("ENV")[0]


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Something that answers at a free port as the service would at its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path in OPEN_PATHS else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_its_health_check_asks_the_service(status: int, healthy: bool) -> None:
    (check,) = values("HEALTHCHECK")
    interpreter, *arguments = json.loads(check.partition("CMD ")[2])
    assert interpreter == "python"
    (port,) = values("EXPOSE")
    with answering(status) as free:
        arguments = [part.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{free}/") for part in arguments]
        done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    assert (done.returncode == 0) == healthy
