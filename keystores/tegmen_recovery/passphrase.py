"""Where the passphrase of an encrypted private key comes from: a file, a variable, a person."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

from tegmen.errors import AccessDenied, StoreUnavailable
from tegmen_recovery.options import RecoveryOptions
from tegmen_recovery.private import read_private

LEAST_CHARACTERS = 20
"""For a new key. PKCS#8 as `cryptography` writes it slows a guess down very little (PBKDF2 with
2048 rounds), so the passphrase alone has to be strong."""

MAX_PASSPHRASE = 1023
"""Bytes; OpenSSL takes no more."""

Ask = Callable[[bool], bytes]
"""Gives the passphrase; its argument says whether it is to be a new one."""


def from_options(options: RecoveryOptions, base: Path) -> Ask | None:
    """The one way that `options` name, or None.

    The way raises StoreUnavailable, AccessDenied or InsecureConfig.
    """
    if options.passphrase_file is not None:
        path = base / options.passphrase_file.expanduser()
        return lambda new: _checked(_first_line(path), str(path), new=new)
    if options.passphrase_env is not None:
        name = options.passphrase_env
        return lambda new: _checked(_variable(name), f"the environment variable {name}", new=new)
    if options.prompt:
        return lambda new: _checked(_typed(options.key_id, new=new), "the terminal", new=new)
    return None


def _first_line(path: Path) -> str:
    return read_private(path, "passphrase file").partition("\n")[0].rstrip("\r")


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise StoreUnavailable(
            f"the environment variable {name} is not set",
            hint="set it to the passphrase of the recovery key",
        )
    return value


def _typed(key_id: str, *, new: bool) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise StoreUnavailable(
            f"the passphrase of the key {key_id!r} is to be typed, and there is no terminal",
            hint="name a passphrase-file or a passphrase-env in the configuration",
        )
    import click

    text: str = click.prompt(
        f"Passphrase of the recovery key {key_id}",
        hide_input=True,
        confirmation_prompt=new,
        err=True,
    )
    return text


def _checked(text: str, where: str, *, new: bool) -> bytes:
    """UTF-8 in NFC, because keyboards and systems spell one letter in several ways."""
    try:
        passphrase = unicodedata.normalize("NFC", text).encode()
    except UnicodeEncodeError:  # a variable, or a key press, that is not UTF-8
        passphrase = b""
    if not 0 < len(passphrase) <= MAX_PASSPHRASE:
        raise AccessDenied(
            f"{where}: no passphrase of 1 to {MAX_PASSPHRASE} bytes of UTF-8",
            hint="give the passphrase of the recovery key",
        )
    if new and len(passphrase.decode()) < LEAST_CHARACTERS:
        raise AccessDenied(
            f"{where}: the passphrase for a new recovery key has fewer than "
            f"{LEAST_CHARACTERS} characters",
            hint="take six or more random words, and keep them apart from the key",
        )
    return passphrase
