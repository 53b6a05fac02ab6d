"""Recovery key stores for the tests, the private key in a folder called safe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tegmen_recovery import RecoveryOptions
from tegmen_recovery.store import RecoveryStore

OpenStore = Callable[..., RecoveryStore]


@pytest.fixture
def options() -> RecoveryOptions:
    """With both halves named, not encrypted."""
    return RecoveryOptions(public_key=Path("public.pem"), private_key=Path("safe/private.pem"))


@pytest.fixture
def open_store(tmp_path: Path, options: RecoveryOptions) -> OpenStore:
    """`open_store(**changes)`: a store object with these options changed, not its files."""
    return lambda **changes: RecoveryStore(evolve(options, **changes), tmp_path)


@pytest.fixture
def new_store(open_store: OpenStore) -> OpenStore:
    """As `open_store`, and the key pair is made."""

    def make(**changes: Any) -> RecoveryStore:
        store = open_store(**changes)
        store.initialise()
        return store

    return make


@pytest.fixture
def passphrase_file(tmp_path: Path, passphrase: str) -> Path:
    """A file that holds it."""
    path = tmp_path / "passphrase"
    path.write_text(passphrase + "\nsecond line\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Where the private key of `options` is."""
    return tmp_path / "safe" / "private.pem"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Where the public key of `options` is."""
    return tmp_path / "public.pem"
