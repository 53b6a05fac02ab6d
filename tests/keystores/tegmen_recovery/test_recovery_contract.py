"""The recovery store keeps the contract of key stores, and is what it says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tegmen.errors import ConfigError
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
from tegmen.structure import structure
from tegmen.testing.keystores import KeyStoreContract
from tegmen_recovery import RecoveryOptions, tegmen_keystores
from tegmen_recovery.store import RecoveryStore

OpenStore = Callable[..., RecoveryStore]


class TestWithPrivateKey(KeyStoreContract):
    @pytest.fixture
    def store(self, new_store: OpenStore) -> KeyStore:
        return new_store()

    @pytest.fixture
    def key_id(self) -> str:
        return "recovery"

    @pytest.fixture
    def other_store(self, new_store: OpenStore) -> KeyStore:
        return new_store(public_key=Path("other.pem"), private_key=Path("safe/other.pem"))


class TestWithPassphrase(KeyStoreContract):
    @pytest.fixture
    def store(self, new_store: OpenStore, passphrase_file: Path) -> KeyStore:
        return new_store(passphrase_file=passphrase_file, key_id="Safe-2/archive:2031")

    @pytest.fixture
    def key_id(self) -> str:
        return "Safe-2/archive:2031"


class TestWithoutItsPrivateKey(KeyStoreContract):
    @pytest.fixture
    def opener(self, new_store: OpenStore) -> KeyStore:
        return new_store()

    @pytest.fixture
    def store(self, opener: KeyStore, open_store: OpenStore) -> KeyStore:
        return open_store(private_key=Path("gone/private.pem"))

    @pytest.fixture
    def key_id(self) -> str:
        return "recovery"


def test_has_the_powers_that_it_claims_and_no_other(open_store: OpenStore) -> None:
    store = open_store()
    assert all(isinstance(store, power) for power in (Initialiser, Lister, Prober))
    assert not any(isinstance(store, power) for power in (Archiver, Destroyer, Prf, Rotator))


def test_is_registered_under_its_name(tmp_path: Path) -> None:
    (offer,) = tegmen_keystores()
    assert offer.options is not None
    store = offer.make(structure(offer.options, {"public-key": "public.pem"}), tmp_path)
    assert offer.name == store.kind == "recovery"
    assert not any(tmp_path.iterdir()), "making the object must touch no file"


# ---------------------------------------------------------------- options


def test_all_options_are_read_from_a_table() -> None:
    table = {
        "public-key": "a.pem",
        "check-value": "0f" * 32,
        "private-key": "b.pem",
        "key-id": "archive",
        "passphrase-env": "WORDS",
    }
    options = RecoveryOptions(
        Path("a.pem"), "0f" * 32, Path("b.pem"), "archive", passphrase_env="WORDS"
    )
    assert structure(RecoveryOptions, table) == options


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"public-key": None}, "public-key: is missing"),
        ({"public-key": ""}, "a path"),
        ({"private-keys": "x"}, 'did you mean "private-key"'),
        ({"key-id": "two words"}, "key_id"),
        ({"check-value": "0F" * 32}, "check_value"),
        ({"check-value": "0f" * 31}, "check_value"),
        ({"prompt": "yes"}, "true or false"),
        ({"prompt": True}, "means nothing without private-key"),
        ({"private-key": "k", "prompt": True, "passphrase-env": "W"}, "2 ways"),
        ({"private-key": "k", "passphrase-file": "f", "passphrase-env": "W"}, "2 ways"),
    ],
)
def test_a_wrong_table_is_refused(changes: dict[str, object], said: str) -> None:
    table = {"public-key": "public.pem", **changes}
    table = {key: value for key, value in table.items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        structure(RecoveryOptions, table, "stores.recovery")
    assert said in f"{caught.value} {caught.value.hint}"


def test_the_key_id_is_bound(open_store: OpenStore, new_store: OpenStore) -> None:
    """The same pair under another name is another recipient."""
    from attrs import evolve

    from tegmen.errors import WrongKey

    wrapped = new_store().wrap("recovery", os.urandom(32), bytes(16))
    with pytest.raises(WrongKey):
        open_store(key_id="archive").unwrap(evolve(wrapped, key_id="archive"), bytes(16))
