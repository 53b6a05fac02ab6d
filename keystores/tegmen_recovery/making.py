"""Makes a key pair on disk: both files, or neither."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tegmen.errors import KeyExists, OutputExists
from tegmen.files import writing
from tegmen.passphrase import Ask
from tegmen.private import make_folder, read_private
from tegmen_recovery.pem import MAX_PEM, new_key
from tegmen_recovery.public import read_public


def make_pair(public: Path, private: Path, ask: Ask | None) -> None:
    """Write a new private key (mode 0600) and its public key (0644); overwrite nothing.

    Both are read again, so that a medium which cannot protect the private key is refused now,
    not in the emergency.

    Args:
        ask: for the passphrase; None leaves the private key unencrypted.

    Raises:
        KeyExists: one of the files is there already.
        InsecureConfig: others may write a folder, or could read the private key.
        AccessDenied, StoreUnavailable, OutputError: they cannot be written. In all cases
            nothing was changed, folders excepted.
    """
    for path in (private, public):
        if os.path.lexists(path):
            raise _exists(path)
    passphrase = None if ask is None else bytes(ask(True))
    make_folder(private.parent)
    make_folder(public.parent, 0o755)
    key = new_key()
    made: list[Path] = []
    try:
        _write(private, key.pem(passphrase), 0o600, made)
        read_private(private, "private key", MAX_PEM)
        _write(public, key.public.pem(), 0o644, made)
        read_public(public)
    except BaseException:
        for path in made:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def _write(path: Path, data: bytes, mode: int, made: list[Path]) -> None:
    try:
        with writing(path, mode=mode) as sink:
            sink.write(data)
    except OutputExists:
        raise _exists(path) from None
    made.append(path)


def _exists(path: Path) -> KeyExists:
    return KeyExists(
        f"{path} exists; a recovery key is never written over",
        hint="use the pair it belongs to, or name other files for a new one",
    )
