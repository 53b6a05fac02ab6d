"""File key stores for the tests, with a passphrase that costs little."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tegmen_file.document import Argon2Cost
from tegmen_file.options import FileOptions
from tegmen_file.store import FileStore

MakeStore = Callable[..., FileStore]


@pytest.fixture
def open_store(tmp_path: Path) -> MakeStore:
    """`open_store(name, key=..., passphrase=..., lock_timeout=...)`: a store object, not its files.

    A passphrase is written to a file of its own; without one the store has a key file.
    """

    def make(
        name: str = "store",
        *,
        key: str = "root.key",
        passphrase: str | None = None,
        lock_timeout: float = 10,
    ) -> FileStore:
        options = FileOptions(path=Path(name), key_file=Path("keys") / key)
        if passphrase is not None:
            written = tmp_path / "passphrase"
            written.write_text(passphrase + "\n")
            written.chmod(0o600)
            options = FileOptions(path=Path(name), passphrase_file=Path("passphrase"))
        cost = Argon2Cost(iterations=1, lanes=1, memory_kib=128)
        return FileStore(options, tmp_path, cost=cost, lock_timeout=lock_timeout)

    return make


@pytest.fixture
def new_store(open_store: MakeStore) -> MakeStore:
    """As `open_store`, and the store is made, with the key `ward` in it."""

    def make(name: str = "store", **options: object) -> FileStore:
        store = open_store(name, **options)
        store.initialise()
        store.create("ward")
        return store

    return make
