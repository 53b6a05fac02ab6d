"""The file store keeps the contract of key stores, with a key file and with a passphrase."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tegmen.interfaces import (
    Archiver,
    Destroyer,
    Initialiser,
    KeyStore,
    Lister,
    Prf,
    Prober,
    Rotator,
)
from tegmen.testing.keystores import KeyStoreContract
from tegmen_file.store import FileStore

MakeStore = Callable[..., FileStore]


class TestWithKeyFile(KeyStoreContract):
    @pytest.fixture
    def store(self, new_store: MakeStore) -> KeyStore:
        return new_store("store")

    @pytest.fixture
    def key_id(self) -> str:
        return "ward"

    @pytest.fixture
    def other_store(self, new_store: MakeStore) -> KeyStore:
        return new_store("other")

    @pytest.fixture
    def empty_store(self, open_store: MakeStore) -> KeyStore:
        store = open_store("empty")
        store.initialise()
        return store


class TestWithPassphrase(KeyStoreContract):
    @pytest.fixture
    def store(self, new_store: MakeStore, passphrase: str) -> KeyStore:
        return new_store("store", passphrase=passphrase)

    @pytest.fixture
    def key_id(self) -> str:
        return "ward"

    @pytest.fixture
    def empty_store(self, open_store: MakeStore, passphrase: str) -> KeyStore:
        store = open_store("empty", passphrase=passphrase)
        store.initialise()
        return store


class TestWithAnUnusualName(KeyStoreContract):
    @pytest.fixture
    def store(self, new_store: MakeStore) -> KeyStore:
        store = new_store("store")
        store.create('Zoë\'s "ward" \\ 五病棟 🩻')
        return store

    @pytest.fixture
    def key_id(self) -> str:
        return 'Zoë\'s "ward" \\ 五病棟 🩻'


def test_has_every_power_that_it_claims(open_store: MakeStore) -> None:
    powers = (Archiver, Destroyer, Initialiser, Lister, Prf, Prober, Rotator)
    assert all(isinstance(open_store(), power) for power in powers)


def test_is_registered_under_its_name(tmp_path: Path) -> None:
    import tegmen_file

    (offer,) = tegmen_file.tegmen_keystores()
    assert offer.options is not None
    store = offer.make(offer.options(path="store", key_file="root.key"), tmp_path)
    assert offer.name == store.kind == "file"
    assert not any(tmp_path.iterdir()), "making the object must touch no file"
