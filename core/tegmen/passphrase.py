"""Gets a passphrase from a private file, an environment variable or a person at a terminal.

Never from the command line, which every user of a machine can read. A person is asked only where
standard input is a terminal: `--no-input`, or a program that embeds tegmen, puts something else
in the place of `sys.stdin`, and that holds in every thread and forked process.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from attrs import frozen

from tegmen.errors import AccessDenied, ConfigError, StoreUnavailable
from tegmen.private import read_private, wipe

MAX_SIZE: Final = 1023
"""Bytes of UTF-8; OpenSSL takes no more."""

Ask = Callable[[bool], bytearray]
"""Gives the passphrase in UTF-8 and NFC, for the caller to overwrite after use.

Its argument says whether it is to be a new one: typed twice, and long enough. Raises
StoreUnavailable, AccessDenied or InsecureConfig.
"""


@frozen(kw_only=True)
class PassphraseOptions:
    """What the table of a key store says of its passphrase; at most one of these.

    Attributes:
        passphrase_file: file whose first line is the passphrase, mode 0600.
        passphrase_env: name of the environment variable that holds the passphrase.
        prompt: ask for the passphrase on the terminal.
    """

    passphrase_file: Path | None = None
    passphrase_env: str | None = None
    prompt: bool = False

    def __attrs_post_init__(self) -> None:
        if self.ways > 1:
            raise ConfigError(
                f"{self.ways} ways to one passphrase, and at most 1 is used",
                hint="give one of passphrase-file, passphrase-env, prompt",
            )

    @property
    def ways(self) -> int:
        """How many of them are given."""
        return (self.passphrase_file is not None) + (self.passphrase_env is not None) + self.prompt

    def asking(self, base: Path, of: str, least: int) -> Ask | None:
        """The way that is given, or None.

        Args:
            base: the folder that a relative path starts from.
            of: what the passphrase protects, in words for questions and messages.
            least: how many characters a new one has at least.
        """
        return partial(_ask, self, base, of, least) if self.ways else None


def _ask(options: PassphraseOptions, base: Path, of: str, least: int, new: bool) -> bytearray:
    where, text = _fetched(options, base, of, new)
    passphrase = _normalised(text)
    if not 0 < len(passphrase) <= MAX_SIZE:
        raise AccessDenied(
            f"{where}: no passphrase of 1 to {MAX_SIZE} bytes of UTF-8",
            hint=f"give the passphrase of {of}",
        )
    if new and len(passphrase.decode()) < least:
        wipe(passphrase)
        raise AccessDenied(
            f"{where}: a new passphrase of {of} with fewer than {least} characters",
            hint="take six or more random words, and keep them apart from what they protect",
        )
    return passphrase


def _fetched(options: PassphraseOptions, base: Path, of: str, new: bool) -> tuple[str, str]:
    """Where the passphrase comes from, and what stands there."""
    if options.passphrase_file is not None:
        path = base / options.passphrase_file
        return str(path), _first_line(path)
    if options.passphrase_env is not None:
        name = options.passphrase_env
        return f"the environment variable {name}", _variable(name, of)
    return "the terminal", _typed(of, new)


def _first_line(path: Path) -> str:
    _, data = read_private(path, "passphrase file", MAX_SIZE)
    line = data.partition(b"\n")[0].rstrip(b"\r")
    text = line.decode(errors="surrogateescape")
    wipe(data)
    wipe(line)
    return text


def _variable(name: str, of: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise StoreUnavailable(
            f"the environment variable {name} is not set", hint=f"set it to the passphrase of {of}"
        )
    return value


def _typed(of: str, new: bool) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise StoreUnavailable(
            f"{of} asks for its passphrase, and nobody can answer (no terminal, or --no-input)",
            hint="name a passphrase-file or a passphrase-env in the configuration",
        )
    import click

    text: str = click.prompt(
        f"Passphrase of {of}", hide_input=True, confirmation_prompt=new, err=True
    )
    return text


def _normalised(text: str) -> bytearray:
    """NFC, because keyboards and systems spell one letter in several ways; empty if not UTF-8."""
    try:
        return bytearray(unicodedata.normalize("NFC", text).encode())
    except UnicodeEncodeError:  # a file, a variable or a key press with other bytes
        return bytearray()
