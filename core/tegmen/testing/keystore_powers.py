"""The part of KeyStoreContract that tests what only some key stores can do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import pytest
from attrs import evolve

from tegmen.errors import (
    KeyDestroyed,
    KeyDisabled,
    KeyExists,
    KeyNotFound,
    KeyStoreError,
    WrongKey,
)
from tegmen.interfaces import (
    Archiver,
    Destroyer,
    Generator,
    Initialiser,
    KeyStore,
    Lister,
    NativeRewrap,
    Prf,
    Prober,
    Rotator,
)

CONTEXT = bytes(range(16))
OTHER_CONTEXT = bytes(range(1, 17))

Power = TypeVar("Power")


def able(store: KeyStore, power: Callable[..., Power]) -> Power:
    """`store`, when it has that power; without it the test is skipped."""
    if not isinstance(store, cast("type[Power]", power)):
        pytest.skip(f"{type(store).__name__} is no {power.__name__}")
    return store


def key_for(store: KeyStore, key_id: str) -> str:
    """A key that the test may disable or destroy: a new one where the store can make one."""
    if not isinstance(store, Rotator):
        return key_id
    return store.create(f"contract-{os.urandom(6).hex()}").key_id


class KeyStorePowers:
    """Tests of the optional interfaces, each skipped for a store that does not have it."""

    @pytest.fixture
    def opener(self, store: KeyStore) -> KeyStore:
        """What opens that which `store` wraps; for a store that only wraps, its other half."""
        return store

    @pytest.fixture
    def empty_store(self) -> KeyStore | None:
        """A store without keys that can take the backup of `store`; None skips its test."""
        return None

    def test_probe_finds_nothing_wrong(self, store: KeyStore) -> None:
        assert able(store, Prober).probe() is None

    def test_lists_what_it_describes(self, store: KeyStore, key_id: str) -> None:
        listed = able(store, Lister).list_keys()
        names = [info.key_id for info in listed]
        assert names == sorted(set(names))
        assert store.describe(key_id) in listed

    def test_creates_a_key_once(self, store: KeyStore) -> None:
        rotator, name = able(store, Rotator), f"contract-{os.urandom(6).hex()}"
        info = rotator.create(name)
        assert info == store.describe(name)
        with pytest.raises(KeyExists):
            rotator.create(name)
        assert store.describe(name) == info

    def test_old_versions_unwrap_after_rotation(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        rotator, name = able(store, Rotator), key_for(store, key_id)
        data_key = os.urandom(32)
        old = store.wrap(name, data_key, CONTEXT)
        info = rotator.rotate(name)
        new = store.wrap(name, data_key, CONTEXT)
        assert new.version == info.version != old.version
        assert new.check_kind == "none" or new.check_value != old.check_value
        assert opener.unwrap(old, CONTEXT) == opener.unwrap(new, CONTEXT) == data_key
        for blob, claim in ((old.blob, new), (new.blob, old)):
            with pytest.raises(WrongKey):
                opener.unwrap(evolve(claim, blob=blob), CONTEXT)

    def test_a_disabled_key_comes_back(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        rotator, name = able(store, Rotator), key_for(store, key_id)
        data_key = os.urandom(32)
        wrapped = store.wrap(name, data_key, CONTEXT)
        assert rotator.set_state(name, None, False).state == "disabled"
        with pytest.raises(KeyDisabled):
            store.wrap(name, data_key, CONTEXT)
        with pytest.raises(KeyDisabled):
            opener.unwrap(wrapped, CONTEXT)
        assert rotator.set_state(name, None, True).state == "enabled"
        assert opener.unwrap(wrapped, CONTEXT) == data_key

    def test_disables_one_version_alone(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        rotator, name = able(store, Rotator), key_for(store, key_id)
        data_key = os.urandom(32)
        old = store.wrap(name, data_key, CONTEXT)
        rotator.rotate(name)
        rotator.set_state(name, old.version, False)
        with pytest.raises(KeyDisabled):
            opener.unwrap(old, CONTEXT)
        assert opener.unwrap(store.wrap(name, data_key, CONTEXT), CONTEXT) == data_key

    def test_changes_no_key_that_is_not_there(self, store: KeyStore) -> None:
        rotator, missing = able(store, Rotator), "contract-no-such-key"
        with pytest.raises(KeyNotFound):
            rotator.rotate(missing)
        with pytest.raises(KeyNotFound):
            rotator.set_state(missing, None, True)

    def test_destroys_the_key_that_is_meant(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        destroyer, name = able(store, Destroyer), key_for(store, key_id)
        info, data_key = store.describe(name), os.urandom(32)
        wrapped = store.wrap(name, data_key, CONTEXT)
        for value in (bytes(len(info.check_value)), b""):
            with pytest.raises(WrongKey):
                destroyer.destroy(name, value)
        assert opener.unwrap(wrapped, CONTEXT) == data_key
        assert destroyer.destroy(name, info.check_value).state == "destroyed"
        with pytest.raises(KeyDestroyed):
            opener.unwrap(wrapped, CONTEXT)
        with pytest.raises(KeyDestroyed):
            store.wrap(name, data_key, CONTEXT)
        assert store.describe(name).state == "destroyed"

    def test_no_key_takes_a_destroyed_name(self, store: KeyStore, key_id: str) -> None:
        destroyer, rotator = able(store, Destroyer), able(store, Rotator)
        name = key_for(store, key_id)
        destroyer.destroy(name, store.describe(name).check_value)
        with pytest.raises(KeyExists):
            rotator.create(name)
        for change in (rotator.rotate, lambda name: rotator.set_state(name, None, True)):
            with pytest.raises(KeyDestroyed):
                change(name)

    def test_a_backup_of_what_is_here_changes_nothing(
        self, store: KeyStore, opener: KeyStore, key_id: str, tmp_path: Path
    ) -> None:
        archiver, target = able(store, Archiver), tmp_path / "backup"
        wrapped = store.wrap(key_id, bytes(32), CONTEXT)
        assert key_id in archiver.backup(target)
        before = store.describe(key_id)
        assert list(archiver.restore(target)) == []
        assert store.describe(key_id) == before
        assert opener.unwrap(wrapped, CONTEXT) == bytes(32)

    def test_a_backup_restores_an_empty_store(
        self, store: KeyStore, key_id: str, empty_store: KeyStore | None, tmp_path: Path
    ) -> None:
        archiver, target = able(store, Archiver), tmp_path / "backup"
        if empty_store is None:
            pytest.skip("no empty_store was supplied")
        wrapped = store.wrap(key_id, bytes(32), CONTEXT)
        names = archiver.backup(target)
        assert sorted(able(empty_store, Archiver).restore(target)) == sorted(names)
        assert empty_store.describe(key_id) == store.describe(key_id)
        assert empty_store.unwrap(wrapped, CONTEXT) == bytes(32)

    def test_a_damaged_backup_changes_nothing(
        self, store: KeyStore, key_id: str, empty_store: KeyStore | None, tmp_path: Path
    ) -> None:
        archiver, target = able(store, Archiver), tmp_path / "backup"
        archiver.backup(target)
        whole, into = target.read_bytes(), able(empty_store or store, Archiver)
        for place in range(0, len(whole), max(1, len(whole) // 40)):
            flipped = whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :]
            for data in (whole[:place], flipped):
                target.write_bytes(data)
                with pytest.raises(KeyStoreError):
                    into.restore(target)
        if empty_store is not None:
            with pytest.raises(KeyNotFound):
                empty_store.describe(key_id)

    def test_a_backup_overwrites_no_other_key(
        self, store: KeyStore, key_id: str, other_store: KeyStore | None, tmp_path: Path
    ) -> None:
        archiver, target = able(store, Archiver), tmp_path / "backup"
        if other_store is None:
            pytest.skip("no other_store was supplied")
        archiver.backup(target)
        before = other_store.describe(key_id)
        with pytest.raises(KeyStoreError):
            able(other_store, Archiver).restore(target)
        assert other_store.describe(key_id) == before

    def test_makes_no_store_over_another(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        initialiser, wrapped = able(store, Initialiser), store.wrap(key_id, bytes(32), CONTEXT)
        with pytest.raises(KeyExists):
            initialiser.initialise()
        assert opener.unwrap(wrapped, CONTEXT) == bytes(32)

    def test_the_keyed_function_depends_on_key_and_data_alone(
        self, store: KeyStore, key_id: str
    ) -> None:
        keyed = able(store, Prf)
        first = keyed.prf(key_id, b"one")
        assert type(first) is bytes
        assert len(first) == 32
        assert keyed.prf(key_id, b"one") == first
        assert len({first, keyed.prf(key_id, b"two"), keyed.prf(key_id, b"")}) == 3
        with pytest.raises(KeyNotFound):
            keyed.prf("contract-no-such-key", b"one")

    def test_the_keyed_function_survives_rotation(self, store: KeyStore, key_id: str) -> None:
        keyed, rotator, name = able(store, Prf), able(store, Rotator), key_for(store, key_id)
        first = keyed.prf(name, b"one")
        assert first != keyed.prf(key_id, b"one")
        rotator.rotate(name)
        assert keyed.prf(name, b"one") == first

    def test_generates_what_it_wraps(self, store: KeyStore, opener: KeyStore, key_id: str) -> None:
        generator = able(store, Generator)
        data_key, wrapped = generator.generate(key_id, CONTEXT)
        assert len(data_key) == 32
        assert data_key != generator.generate(key_id, CONTEXT)[0]
        assert opener.unwrap(wrapped, CONTEXT) == data_key

    def test_rewraps_under_the_current_version(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        rewrapper, name = able(store, NativeRewrap), key_for(store, key_id)
        data_key = os.urandom(32)
        old = store.wrap(name, data_key, CONTEXT)
        if isinstance(store, Rotator):
            store.rotate(name)
        new = rewrapper.rewrap(old, name, CONTEXT)
        assert new.version == store.describe(name).version
        assert opener.unwrap(new, CONTEXT) == data_key
        with pytest.raises(WrongKey):
            rewrapper.rewrap(old, name, OTHER_CONTEXT)
