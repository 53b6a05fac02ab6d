"""The contract of key stores goes red, in the right place, on every store that is wrong."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tegmen.errors import CannotUnwrap, StoreDamaged, WrongKey
from tegmen.interfaces import KeyInfo, KeyStore, Wrapped
from tegmen.testing.hostile_keystores import (
    CorruptingKeyStore,
    FailingKeyStore,
    MemoryKeyStore,
    OneNonceKeyStore,
    SwappedKeyStore,
)
from tegmen.testing.keystore_powers import CONTEXT
from tegmen.testing.keystores import KeyStoreContract
from tegmen_file import FileOptions
from tegmen_file.store import FileStore

Make = Callable[[Path], KeyStore]
MakeOther = Callable[[Path, KeyStore], KeyStore]

# ---------------------------------------------------------------- stores that are wrong


class Deaf(MemoryKeyStore):
    """Binds no context."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        return super().wrap(key_id, data_key, b"")

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        return super().unwrap(wrapped, b"")


class HardOfHearing(MemoryKeyStore):
    """Binds all of the context but the last bit of every byte."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        return super().wrap(key_id, data_key, bytes(byte & 0xFE for byte in context))

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        return super().unwrap(wrapped, bytes(byte & 0xFE for byte in context))


class Prefixing(MemoryKeyStore):
    """Hides behind random bytes that all data keys meet one keystream."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        wrapped, mark = super().wrap(key_id, data_key, context), os.urandom(12)
        closed = self._aead(key_id).encrypt(bytes(12), data_key, context + mark)
        return evolve(wrapped, blob=mark + closed)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        mark, closed = wrapped.blob[:12], wrapped.blob[12:]
        own = evolve(wrapped, blob=bytes(12) + closed)
        return super().unwrap(own, context + mark)


class Synthetic(MemoryKeyStore):
    """Makes the nonce from what it wraps, so that it wraps it always alike."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        wrapped = super().wrap(key_id, data_key, context)
        nonce = self.prf(key_id, context + data_key)[:12]
        closed = self._aead(key_id).encrypt(nonce, data_key, context)
        return evolve(wrapped, blob=nonce + closed)


class SyntheticContract(KeyStoreContract):
    """For a store like that, when it says so."""

    deterministic = True


class WrapOnly(MemoryKeyStore):
    """Has no private half; that is `opener`."""

    def __init__(self, *key_ids: str) -> None:
        super().__init__(*key_ids)
        self.opener = MemoryKeyStore()
        self.opener._keys = self._keys

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        raise CannotUnwrap("the other half opens this", hint="ask who keeps it")


class Secretive(WrapOnly):
    """Only wraps, and calls that a wrong key."""

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        raise WrongKey("a data key does not open")


class Trusting(MemoryKeyStore):
    """Looks at no key-check value."""

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        check = self.describe(wrapped.key_id).check_value
        return super().unwrap(evolve(wrapped, check_value=check), context)


class Lenient(MemoryKeyStore):
    """Drops what follows the blob."""

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        return super().unwrap(evolve(wrapped, blob=wrapped.blob[:60]), context)


class Oracle(MemoryKeyStore):
    """Tells one bad blob from another."""

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        if len(wrapped.blob) != 60:
            raise WrongKey("the blob has another length")
        return super().unwrap(wrapped, context)


class Leaky(MemoryKeyStore):
    """Says in its errors what it wrapped last."""

    _last = b""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        self._last = data_key
        return super().wrap(key_id, data_key, context)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        try:
            return super().unwrap(wrapped, context)
        except WrongKey as error:
            raise WrongKey("refused", hint=f"it is not {self._last.hex()}") from error


class Plain(MemoryKeyStore):
    """Puts the data key into the blob."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        wrapped = super().wrap(key_id, data_key, context)
        return evolve(wrapped, blob=wrapped.blob + data_key)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        data_key = super().unwrap(evolve(wrapped, blob=wrapped.blob[:-32]), context)
        if wrapped.blob[-32:] != data_key:
            raise WrongKey(f"a data key does not open under {wrapped.key_id!r}")
        return data_key


class Unsafe(MemoryKeyStore):
    """Keeps the context of a call where another thread overwrites it."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        self._context = context
        time.sleep(0.0002)
        return super().wrap(key_id, data_key, self._context)


class Willing(MemoryKeyStore):
    """Makes a key of any name that it is asked for."""

    def _key(self, key_id: str) -> bytes:
        return self._keys.setdefault(key_id, os.urandom(32))


class Sick(MemoryKeyStore):
    """Works, and says that it does not."""

    def probe(self) -> str | None:
        return "no"


class Fickle(MemoryKeyStore):
    """Its keyed function is not one."""

    def prf(self, key_id: str, data: bytes) -> bytes:
        self._key(key_id)
        return os.urandom(32)


class Generating(MemoryKeyStore):
    """Generates and rewraps as it should."""

    def generate(self, key_id: str, context: bytes) -> tuple[bytes, Wrapped]:
        data_key = os.urandom(32)
        return data_key, self.wrap(key_id, data_key, context)

    def rewrap(self, wrapped: Wrapped, key_id: str, context: bytes) -> Wrapped:
        return self.wrap(key_id, self.unwrap(wrapped, context), context)


class Repeating(Generating):
    """Generates one data key, and rewraps another."""

    def generate(self, key_id: str, context: bytes) -> tuple[bytes, Wrapped]:
        return bytes(32), self.wrap(key_id, bytes(32), context)

    def rewrap(self, wrapped: Wrapped, key_id: str, context: bytes) -> Wrapped:
        return self.wrap(key_id, bytes(32), context)


class Forgetful(FileStore):
    """Rotation loses the old versions."""

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        current = self.describe(wrapped.key_id)
        return super().unwrap(evolve(wrapped, version=current.version), context)


class Stubborn(FileStore):
    """Rotation makes no new version."""

    def rotate(self, key_id: str) -> KeyInfo:
        return self.describe(key_id)


class Disobedient(FileStore):
    """Disables in words only."""

    def set_state(self, key_id: str, version: str | None, enabled: bool) -> KeyInfo:
        return evolve(self.describe(key_id), state="enabled" if enabled else "disabled")


class Sweeping(FileStore):
    """Disables all versions when one is meant."""

    def set_state(self, key_id: str, version: str | None, enabled: bool) -> KeyInfo:
        return super().set_state(key_id, None, enabled)


class Reckless(FileStore):
    """Destroys whatever is named."""

    def destroy(self, key_id: str, check_value: bytes) -> KeyInfo:
        return super().destroy(key_id, self.describe(key_id).check_value)


class Overwriting(FileStore):
    """Creates over what is there, destroyed or not."""

    def create(self, key_id: str) -> KeyInfo:
        with self._changing() as keys:
            keys.pop(key_id, None)
        return super().create(key_id)


class Unverified(FileStore):
    """Restores what it can of a damaged backup, which is nothing."""

    def restore(self, source: Path) -> Sequence[str]:
        try:
            return super().restore(source)
        except StoreDamaged:
            return []


class Replacing(FileStore):
    """Restores over other keys of the same name."""

    def restore(self, source: Path) -> Sequence[str]:
        before = set(self._now().keys)
        with self._changing() as keys:
            keys.clear()
        return [name for name in super().restore(source) if name not in before]


class Shallow(FileStore):
    """Its keyed function depends on the version, its list is not in order."""

    def prf(self, key_id: str, data: bytes) -> bytes:
        return super().prf(key_id, data + self.describe(key_id).check_value)

    def list_keys(self) -> Sequence[KeyInfo]:
        return [*super().list_keys()] * 2


class Remade(FileStore):
    """Makes itself anew over what was there."""

    def initialise(self) -> None:
        self._folder.file.unlink(missing_ok=True)
        super().initialise()


# ---------------------------------------------------------------- running the contract


def memory(kind: type[MemoryKeyStore]) -> Make:
    return lambda folder: kind("ward")


def filed(kind: type[FileStore]) -> Make:
    def make(folder: Path) -> KeyStore:
        store = kind(FileOptions(path=Path("store"), key_file=Path("root.key")), folder)
        FileStore.initialise(store)
        FileStore.create(store, "ward")
        return store

    return make


def fixtures(make: Make, make_other: MakeOther | None, folder: Path) -> dict[str, Any]:
    """What the contract's tests ask for, all of it new."""
    folder.mkdir(mode=0o700, parents=True)
    store, other, empty = make(folder), None, None
    if make_other is not None:
        (folder / "other").mkdir(mode=0o700)
        other = make_other(folder / "other", store)
    if isinstance(store, FileStore):
        empty = type(store)(FileOptions(path=Path("empty"), key_file=Path("root.key")), folder)
        FileStore.initialise(empty)
    return {
        "store": store,
        "opener": getattr(store, "opener", store),
        "context": CONTEXT,
        "key_id": "ward",
        "data_key": bytes(range(32)),
        "other_store": other,
        "empty_store": empty,
        "tmp_path": folder,
    }


def failures(
    make: Make,
    make_other: MakeOther | None,
    folder: Path,
    contract: type[KeyStoreContract] = KeyStoreContract,
) -> Iterator[str]:
    """The contract's tests that fail."""
    for name, test in inspect.getmembers(contract, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        supplied = fixtures(make, make_other, folder / name)
        wanted = list(inspect.signature(test).parameters)[1:]
        try:
            test(contract(), **{parameter: supplied[parameter] for parameter in wanted})
        except pytest.skip.Exception:
            pass
        except (Exception, pytest.fail.Exception):
            yield name.removeprefix("test_")


FAULTS: list[tuple[Make, set[str]]] = [
    (memory(MemoryKeyStore), set()),
    (memory(Generating), set()),
    (memory(WrapOnly), set()),
    (filed(FileStore), set()),
    (
        lambda _: CorruptingKeyStore(MemoryKeyStore("ward")),
        {"gives_back_the_data_key", "serves_several_threads"},
    ),
    (
        lambda _: FailingKeyStore(MemoryKeyStore("ward"), 200),
        {"refuses_every_damaged_blob", "serves_several_threads"},
    ),
    (memory(Deaf), {"binds_the_context", "tells_no_secret"}),
    (memory(Trusting), {"refuses_another_check_value"}),
    (memory(Lenient), {"refuses_every_damaged_blob"}),
    (memory(Oracle), {"refuses_every_damaged_blob"}),
    (memory(Leaky), {"tells_no_secret"}),
    (memory(HardOfHearing), {"binds_the_context"}),
    (
        memory(OneNonceKeyStore),
        {"wraps_no_data_key_twice_alike", "two_blobs_tell_nothing_of_two_data_keys"},
    ),
    (memory(Synthetic), {"wraps_no_data_key_twice_alike"}),
    (memory(Prefixing), {"two_blobs_tell_nothing_of_two_data_keys"}),
    (memory(Secretive), {"a_store_that_only_wraps_says_so"}),
    (
        memory(Plain),
        {
            "says_how_it_wrapped",
            "tells_no_secret",
            "two_blobs_tell_nothing_of_two_data_keys",
        },
    ),
    (memory(Unsafe), {"serves_several_threads"}),
    (
        memory(Willing),
        {
            "knows_no_other_key",
            "tells_no_secret",
            "the_keyed_function_depends_on_key_and_data_alone",
        },
    ),
    (memory(Sick), {"probe_finds_nothing_wrong"}),
    (memory(Fickle), {"the_keyed_function_depends_on_key_and_data_alone"}),
    (memory(Repeating), {"generates_what_it_wraps", "rewraps_under_the_current_version"}),
    (
        filed(Forgetful),
        {"knows_no_other_key", "old_versions_unwrap_after_rotation", "disables_one_version_alone"},
    ),
    (
        filed(Stubborn),
        {
            "old_versions_unwrap_after_rotation",
            "disables_one_version_alone",
            "no_key_takes_a_destroyed_name",
        },
    ),
    (
        filed(Disobedient),
        {
            "a_disabled_key_comes_back",
            "disables_one_version_alone",
            "no_key_takes_a_destroyed_name",
        },
    ),
    (filed(Sweeping), {"disables_one_version_alone"}),
    (filed(Reckless), {"destroys_the_key_that_is_meant"}),
    (filed(Overwriting), {"creates_a_key_once", "no_key_takes_a_destroyed_name"}),
    (filed(Unverified), {"a_damaged_backup_changes_nothing"}),
    (filed(Shallow), {"lists_what_it_describes", "the_keyed_function_survives_rotation"}),
    (filed(Remade), {"makes_no_store_over_another"}),
]
"""How to make a store, and the tests that must fail for it: these, and no other."""

OTHERS: list[tuple[Make, MakeOther, set[str]]] = [
    (memory(MemoryKeyStore), lambda folder, _: MemoryKeyStore("ward"), set()),
    (filed(FileStore), lambda folder, _: filed(FileStore)(folder), set()),
    (
        memory(MemoryKeyStore),
        lambda _, store: SwappedKeyStore(store, "ward"),
        {"tells_another_key_of_the_same_name"},
    ),
    (
        memory(MemoryKeyStore),
        lambda _, store: CorruptingKeyStore(store),
        {"tells_another_key_of_the_same_name"},
    ),
    (
        filed(FileStore),
        lambda folder, _: filed(Replacing)(folder),
        {"a_backup_overwrites_no_other_key"},
    ),
]
"""The same, with a second store that has another key of the same name, or should have."""


@pytest.mark.parametrize(("make", "expected"), FAULTS)
def test_a_fault_fails_its_tests_alone(make: Make, expected: set[str], tmp_path: Path) -> None:
    assert set(failures(make, None, tmp_path / "run")) == expected


@pytest.mark.parametrize(("make", "make_other", "expected"), OTHERS)
def test_a_fault_of_the_other_store_fails_its_tests_alone(
    make: Make, make_other: MakeOther, expected: set[str], tmp_path: Path
) -> None:
    assert set(failures(make, make_other, tmp_path / "run")) == expected


def test_a_store_may_wrap_always_alike_when_it_says_so(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert set(failures(memory(Synthetic), None, run, SyntheticContract)) == set()
