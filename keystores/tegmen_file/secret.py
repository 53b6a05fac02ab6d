"""Where a store's root secret comes from: a key file, or a passphrase from one of three places.

Buffers that held it are overwritten after use, as far as Python allows: text, environment
variables and what a library copied cannot be, and the keys made from it stay in memory for as
long as the store object lives.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path
from typing import Protocol

from attrs import frozen

from tegmen.errors import AccessDenied, ConfigError, StoreUnavailable
from tegmen_file.document import RootKind
from tegmen_file.options import FileOptions
from tegmen_file.permissions import read_private

KEY_SIZE = 32
LEAST_CHARACTERS = 12
MAX_PASSPHRASE = 4096


class Secret(Protocol):
    """A way to the root secret."""

    @property
    def kind(self) -> RootKind:
        """What it is."""

    def read(self) -> bytearray:
        """The secret; the caller overwrites it after use.

        Raises:
            StoreUnavailable, AccessDenied, InsecureConfig.
        """

    def create(self) -> bytearray:
        """The secret for a new store, made where that is possible. Raises as `read`."""


def from_options(options: FileOptions, base: Path) -> Secret:
    """The one way that `options` name.

    Raises:
        ConfigError: none is named, or more than one.
    """
    named: list[Secret] = []
    if options.key_file is not None:
        named.append(KeyFile(base / Path(options.key_file).expanduser()))
    if options.passphrase_file is not None:
        named.append(PassphraseFile(base / Path(options.passphrase_file).expanduser()))
    if options.passphrase_env is not None:
        named.append(PassphraseVariable(options.passphrase_env))
    if options.prompt:
        named.append(PassphrasePrompt(options.path))
    if len(named) != 1:
        raise ConfigError(
            f"the file key store {options.path} has {len(named)} ways to its root secret, not 1",
            hint="give one of key-file, passphrase-file, passphrase-env, prompt",
        )
    return named[0]


@frozen
class KeyFile:
    """A file of 32 random bytes."""

    path: Path
    kind: RootKind = "key-file"

    def read(self) -> bytearray:
        _, secret = read_private(self.path, "key file", KEY_SIZE)
        if len(secret) != KEY_SIZE:
            size = len(secret) if len(secret) < KEY_SIZE else f"more than {KEY_SIZE}"
            raise AccessDenied(
                f"the key file {self.path} has {size} bytes, not {KEY_SIZE}",
                hint="put a copy of the right key file in its place",
            )
        return secret

    def create(self) -> bytearray:
        from tegmen.files import writing

        if not os.path.lexists(self.path):
            make_folder(self.path.parent)
            with writing(self.path, mode=0o600) as sink:
                sink.write(os.urandom(KEY_SIZE))
        return self.read()


@frozen
class PassphraseFile:
    """A file whose first line is the passphrase."""

    path: Path
    kind: RootKind = "passphrase"

    def read(self) -> bytearray:
        _, data = read_private(self.path, "passphrase file", MAX_PASSPHRASE)
        try:
            return normalised(bytes(data).split(b"\n", 1)[0].rstrip(b"\r"), str(self.path))
        finally:
            wipe(data)

    def create(self) -> bytearray:
        return _long_enough(self.read())


@frozen
class PassphraseVariable:
    """An environment variable that holds the passphrase."""

    name: str
    kind: RootKind = "passphrase"

    def read(self) -> bytearray:
        value = os.environb.get(os.fsencode(self.name))
        if value is None:
            raise StoreUnavailable(
                f"the environment variable {self.name} is not set",
                hint="set it to the key store's passphrase",
            )
        return normalised(value, f"the environment variable {self.name}")

    def create(self) -> bytearray:
        return _long_enough(self.read())


@frozen
class PassphrasePrompt:
    """A person at the terminal."""

    store: str
    kind: RootKind = "passphrase"

    def read(self) -> bytearray:
        return self._ask(confirm=False)

    def create(self) -> bytearray:
        return _long_enough(self._ask(confirm=True))

    def _ask(self, *, confirm: bool) -> bytearray:
        if sys.stdin is None or not sys.stdin.isatty():
            raise StoreUnavailable(
                f"the key store {self.store} asks for its passphrase, and there is no terminal",
                hint="name a passphrase-file or a passphrase-env in the configuration",
            )
        import click

        text: str = click.prompt(
            f"Passphrase of the key store {self.store}",
            hide_input=True,
            confirmation_prompt=confirm,
            err=True,
        )
        return normalised(text.encode(errors="surrogateescape"), "the passphrase typed")


def normalised(passphrase: bytes, where: str) -> bytearray:
    """UTF-8 in NFC, because keyboards and systems spell one letter in several ways.

    Raises:
        AccessDenied: it is empty, too long, or not UTF-8.
    """
    try:
        text = passphrase[: MAX_PASSPHRASE + 1].decode()
    except UnicodeDecodeError:
        text = ""
    if not text or len(passphrase) > MAX_PASSPHRASE:
        raise AccessDenied(
            f"{where}: no passphrase of 1 to {MAX_PASSPHRASE} bytes of UTF-8",
            hint="give the key store's passphrase",
        )
    return bytearray(unicodedata.normalize("NFC", text).encode())


def _long_enough(passphrase: bytearray) -> bytearray:
    if len(passphrase.decode()) < LEAST_CHARACTERS:
        wipe(passphrase)
        raise AccessDenied(
            f"the passphrase for a new key store has fewer than {LEAST_CHARACTERS} characters",
            hint="take several random words, or use a key file",
        )
    return passphrase


def wipe(secret: bytearray) -> None:
    """Overwrite `secret` with zeros."""
    secret[:] = bytes(len(secret))


def make_folder(folder: Path) -> None:
    """Make `folder`, for its owner alone, if it is missing. Raises StoreUnavailable."""
    from tegmen_file.permissions import unavailable

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unavailable(folder, error) from error
