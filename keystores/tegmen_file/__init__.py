"""The `file` key store: keys in one file on disk, protected by a key file or a passphrase."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tegmen.hooks import hookimpl
from tegmen.interfaces import KeyStore, Offer
from tegmen_file.options import FileOptions

if TYPE_CHECKING:
    from tegmen_file.store import FileStore


def make_store(options: FileOptions, folder: Path) -> FileStore:
    """The store that `options` describe; its files are touched by its first use, not here.

    Args:
        folder: what relative paths in the options start from.

    Raises:
        ConfigError: not exactly one way to the root secret is named.
    """
    from tegmen_file.store import FileStore

    return FileStore(options, folder)


def create_store(
    path: Path,
    *,
    key_file: Path | None = None,
    passphrase_file: Path | None = None,
    passphrase_env: str | None = None,
    prompt: bool = False,
) -> FileStore:
    """Make an empty store in the folder `path`; give exactly one way to its root secret.

    A `key_file` that is missing is made; one that is there is used as it is, so that a
    backup can be restored into the new store.

    Raises:
        ConfigError: not exactly one way to the root secret is given.
        KeyExists: there is a store already.
        InsecureConfig: others may read or write the folder or the file of the secret.
        KeyStoreError, OutputError: it cannot be written.
    """
    options = FileOptions(
        path=path,
        key_file=key_file,
        passphrase_file=passphrase_file,
        passphrase_env=passphrase_env,
        prompt=prompt,
    )
    store = make_store(options, Path.cwd())
    store.initialise()
    return store


@hookimpl
def tegmen_keystores() -> Sequence[Offer[KeyStore]]:
    """The one store that this plugin supplies."""
    return [
        Offer(
            name="file",
            make=make_store,
            options=FileOptions,
        )
    ]


__all__ = ["FileOptions", "create_store", "make_store", "tegmen_keystores"]
