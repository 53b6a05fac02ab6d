"""Where a store's root secret comes from: a key file or a passphrase.

Buffers that held it are overwritten after use, as far as Python allows: text, environment
variables and what a library copied cannot be, and the keys made from it stay in memory for as
long as the store object lives.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from attrs import frozen

from tegmen.errors import AccessDenied, ConfigError
from tegmen.passphrase import Ask
from tegmen.private import make_folder, read_private
from tegmen_file.document import RootKind
from tegmen_file.options import FileOptions

KEY_SIZE = 32
LEAST_CHARACTERS = 12


@frozen
class Secret:
    """The way to the root secret.

    Attributes:
        ask: gives the secret, to be overwritten after use; its argument says whether it is for
            a new store, and made where that is possible. Raises StoreUnavailable, AccessDenied
            or InsecureConfig.
    """

    kind: RootKind
    ask: Ask


def from_options(options: FileOptions, base: Path) -> Secret:
    """The one way that `options` name.

    Raises:
        ConfigError: none is named, or more than one.
    """
    ask = options.asking(base, f"the key store {options.path}", LEAST_CHARACTERS)
    if ask is not None and options.key_file is None:
        return Secret("passphrase", ask)
    if ask is None and options.key_file is not None:
        return Secret("key-file", partial(_key_file, base / options.key_file))
    raise ConfigError(
        f"the file key store {options.path} has {2 if ask else 0} ways to its root secret, not 1",
        hint="give one of key-file, passphrase-file, passphrase-env, prompt",
    )


def _key_file(path: Path, new: bool) -> bytearray:
    """The 32 bytes of a file; random ones are put there for a new store if it is missing."""
    if new and not os.path.lexists(path):
        from tegmen.files import writing

        make_folder(path.parent)
        with writing(path, mode=0o600) as sink:
            sink.write(os.urandom(KEY_SIZE))
    _, secret = read_private(path, "key file", KEY_SIZE)
    if len(secret) != KEY_SIZE:
        size = len(secret) if len(secret) < KEY_SIZE else f"more than {KEY_SIZE}"
        raise AccessDenied(
            f"the key file {path} has {size} bytes, not {KEY_SIZE}",
            hint="put a copy of the right key file in its place",
        )
    return secret
