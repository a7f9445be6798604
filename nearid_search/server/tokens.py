"""Who may ask: tokens from the environment or a file, and when there must be one."""

from __future__ import annotations

import hmac
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from nearid_search.errors import ConfigError

TOKEN_VARIABLE = "NEARID_TOKEN"  # noqa: S105  (the variable's name)
LEAST_CHARACTERS = 16


@dataclass(frozen=True)
class Token:
    """A secret, and whom the log of corrections names for it; None for nobody."""

    secret: bytes
    name: str | None = None


def read_tokens(file: Path | None) -> tuple[Token, ...]:
    """Return the tokens of a file, or the one of ``NEARID_TOKEN``.

    Args:
        file: one token a line, or a name and a token; ``#`` begins a comment. None for the variable.

    Returns:
        None or more.

    Raises:
        ConfigError: if the file cannot be read or holds none, or a token is shorter than ``LEAST_CHARACTERS``.
    """
    if file is None:
        secret = os.environ.get(TOKEN_VARIABLE, "")
        return (_checked(secret, None, TOKEN_VARIABLE),) if secret else ()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the tokens in {file}: {error}") from error
    tokens = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if len(words) > 2:
            raise ConfigError(f"{file} line {number}: {len(words)} words: give a token, or a name and a token")
        if words:
            tokens.append(_checked(words[-1], words[0] if len(words) == 2 else None, f"{file} line {number}"))
    if not tokens:
        raise ConfigError(f"{file} holds no token: write one a line")
    return tuple(tokens)


def _checked(secret: str, name: str | None, source: str) -> Token:
    if len(secret) < LEAST_CHARACTERS:
        raise ConfigError(
            f"{source}: a token of {len(secret)} characters can be guessed: take {LEAST_CHARACTERS} or more, such as "
            "the output of: openssl rand -hex 32"
        )
    return Token(secret.encode(), name)


def find_token(tokens: tuple[Token, ...], authorization: bytes | None) -> Token | None:
    """Return the token that a header ``Authorization`` presents; comparing takes as long whichever it is.

    Args:
        tokens: those that are let in.
        authorization: the header's value, such as ``b"Bearer 0123..."``; None if there is none.
    """
    scheme, _, given = (authorization or b"").partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    found = None
    for token in tokens:
        if hmac.compare_digest(token.secret, given.strip()):
            found = token
    return found


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_token(host: str, tokens: tuple[Token, ...], *, insecure: bool) -> None:
    """Refuse to serve an address that others can reach without a token.

    Raises:
        ConfigError: naming the ways to go on.
    """
    if not tokens and not insecure and not is_loopback(host):
        raise ConfigError(
            f"{host} can be reached from other machines, and there is no token: set {TOKEN_VARIABLE} or give "
            "--token-file, serve 127.0.0.1, or say --insecure to let everybody read and write"
        )
