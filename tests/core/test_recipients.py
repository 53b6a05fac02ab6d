"""Every recipient's slot is opened before a sealed object counts; which stores may open later."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tegmen import Sealer
from tegmen.errors import (
    AccessDenied,
    CannotUnwrap,
    ConfigError,
    IntegrityError,
    KeyNotFound,
    PluginBroken,
    StoreUnavailable,
)
from tegmen.interfaces import KeyInfo, KeyStore, Wrapped
from tegmen.profile import loads, policy_digest
from tegmen.testing.hostile_keystores import MemoryKeyStore, SwappedKeyStore

MakeSealer = Callable[..., Sealer]
Stores = dict[str, KeyStore]


class OtherKey(MemoryKeyStore):
    """Closes another data key than it was given, as a bad memory or a broken HSM would."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        return super().wrap(key_id, os.urandom(32), context)


class WrapOnly(MemoryKeyStore):
    """Cannot open here; counts who asks."""

    asked = 0
    error: Exception = CannotUnwrap("the private half is in a safe")

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        self.asked += 1
        raise self.error


class Changing(MemoryKeyStore):
    """Answers `wrap` with something else in it."""

    def __init__(self, *key_ids: str, **changes: Any) -> None:
        super().__init__(*key_ids)
        self.changes = changes

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        return evolve(super().wrap(key_id, data_key, context), **self.changes)


def sealed_by(sealer: Sealer, **kwargs: Any) -> bytes:
    target = io.BytesIO()
    sealer.seal(b"image", target, **kwargs)
    return target.getvalue()


def opened_by(sealer: Sealer, sealed: bytes) -> bytes:
    target = io.BytesIO()
    sealer.open(sealed, target)
    return target.getvalue()


# --------------------------------------------------------------------------- when it is sealed


@pytest.mark.parametrize("alias", ["local", "recovery"])
@pytest.mark.parametrize("wrong", ["other-key", "swapped"])
def test_a_slot_that_does_not_open_leaves_nothing(
    make_sealer: MakeSealer, stores: Stores, tmp_path: Path, alias: str, wrong: str
) -> None:
    key_id = {"local": "images", "recovery": "recovery"}[alias]
    if wrong == "other-key":
        stores[alias] = OtherKey(key_id)
    else:  # closes under a key, and opens with another: WrongKey comes from the store
        swapped = SwappedKeyStore(stores[alias], key_id)
        stores[alias].wrap = swapped.wrap  # type: ignore[method-assign]
    with pytest.raises(IntegrityError, match=f"{alias}/{key_id}@1 closed does not open"):
        make_sealer().seal(b"image", tmp_path / "sealed")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [CannotUnwrap("in a safe"), AccessDenied("may only encrypt")])
def test_a_store_that_only_closes_is_named_in_the_receipt(
    make_sealer: MakeSealer, stores: Stores, error: Exception
) -> None:
    stores["recovery"] = store = WrapOnly("recovery")
    store.error = error
    receipt = make_sealer().seal(b"image", io.BytesIO())
    assert receipt.verified
    assert receipt.unproved == ("recovery/recovery@1",)
    assert receipt.keys == ("local/images@1", "recovery/recovery@1")
    assert store.asked == 1


def test_all_are_proved_when_all_can_open(sealer: Sealer) -> None:
    assert sealer.seal(b"image", io.BytesIO()).unproved == ()


def test_a_store_that_breaks_off_while_proving_leaves_nothing(
    make_sealer: MakeSealer, stores: Stores, tmp_path: Path
) -> None:
    stores["recovery"] = store = WrapOnly("recovery")
    store.error = StoreUnavailable("gone")
    with pytest.raises(StoreUnavailable):
        make_sealer().seal(b"image", tmp_path / "sealed")
    assert list(tmp_path.iterdir()) == []


def test_without_verify_no_store_is_asked_to_open(make_sealer: MakeSealer, stores: Stores) -> None:
    stores["local"] = store = WrapOnly("images")
    receipt = make_sealer().seal(b"image", io.BytesIO(), profile="trusting")
    assert (receipt.verified, receipt.unproved, store.asked) == (False, (), 0)


@pytest.mark.parametrize("profile", ["plain", "trusting"])
@pytest.mark.parametrize("changes", [{"key_id": "elsewhere"}, {"blob": bytes(3073)}])
def test_a_store_that_answers_for_another_key_or_at_length_is_broken(
    make_sealer: MakeSealer, stores: Stores, profile: str, changes: dict[str, Any]
) -> None:
    stores["local"] = Changing("images", **changes)
    with pytest.raises(PluginBroken, match="asked for key local/images"):
        make_sealer().seal(b"image", io.BytesIO(), profile=profile)


# --------------------------------------------------------------------------- when it is opened

RETIRED = {'sources = ["file"]': 'sources = ["file"]\nopen-with = [{}]'}
MOVED = {
    '["local/images", "recovery/recovery"]': '["recovery/recovery"]',
    '["local/images"]': '["recovery/recovery"]',
}


def opening_with(make_sealer: MakeSealer, *patterns: str) -> Sealer:
    """No profile names the key `images` any more."""
    listed = ", ".join(f'"{pattern}"' for pattern in patterns)
    changes = {old: new.format(listed) for old, new in RETIRED.items()}
    return make_sealer({**MOVED, **changes})


def test_a_retired_key_opens_if_open_with_names_it(make_sealer: MakeSealer) -> None:
    sealed = sealed_by(make_sealer(), profile="trusting")
    for patterns in ((), ("local/image",), ("recovery/images",), ("recovery/*",)):
        with pytest.raises(CannotUnwrap, match="local/images"):
            opened_by(opening_with(make_sealer, *patterns), sealed)
    for pattern in ("local/images", "local/*", "local/im[a-z]ges"):
        assert opened_by(opening_with(make_sealer, pattern), sealed) == b"image"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('["lokal/images"]', "open-with #1: there is no store"),
        ('["*/images"]', "there is no store"),
        ('["local"]', "store/key"),
        ('"local/images"', "a list of"),
        ('["local/a", "local/a"]', "twice"),
    ],
)
def test_open_with_is_checked(make_sealer: MakeSealer, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_sealer({'sources = ["file"]': f'sources = ["file"]\nopen-with = {value}'})


def test_open_with_is_no_policy() -> None:
    text = 'version = 1\n[stores.a]\nkind = "file"\n[[rules]]\nname = "all"\ndeny = "no"\n'
    more = 'open-with = ["a/*"]\n' + text
    assert policy_digest(loads(text, Path())) == policy_digest(loads(more, Path()))


class Watched(MemoryKeyStore):
    """Counts what it is asked."""

    described = unwrapped = 0

    def describe(self, key_id: str) -> KeyInfo:
        self.described += 1
        return super().describe(key_id)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        self.unwrapped += 1
        return super().unwrap(wrapped, context)


def renamed(make_sealer: MakeSealer, stores: Stores, text: str) -> Sealer:
    """A site that calls the store of `local` by the alias `theirs`, beside its own `local`."""
    stores["theirs"] = stores["local"]
    stores["local"] = Watched("images")
    return make_sealer(
        {
            "[stores.local]": '[stores.theirs]\nkind = "memory"\n[stores.local]',
            'sources = ["file"]': f'sources = ["file"]\n{text}',
        }
    )


def test_an_alias_is_a_hint_and_the_check_value_tells(
    make_sealer: MakeSealer, stores: Stores
) -> None:
    sealed = sealed_by(make_sealer(), profile="trusting")
    site = renamed(make_sealer, stores, 'open-with = ["theirs/images"]')
    assert opened_by(site, sealed) == b"image"
    assert opened_by(site, sealed_by(site, profile="trusting")) == b"image"


def test_a_store_under_another_alias_is_not_asked_for_a_key_that_is_not_listed(
    make_sealer: MakeSealer, stores: Stores
) -> None:
    sealed = sealed_by(make_sealer(), profile="trusting")
    stores["local"] = store = Watched("images")
    site = make_sealer({"local/images": "local/other"})
    with pytest.raises(CannotUnwrap):
        opened_by(site, sealed)
    assert (store.described, store.unwrapped) == (0, 0)


def test_a_store_of_another_alias_and_another_key_is_not_asked_to_open(
    make_sealer: MakeSealer, stores: Stores
) -> None:
    sealed = sealed_by(make_sealer(), profile="trusting")
    stores["own"] = store = Watched("images")
    site = make_sealer({"[stores.local]": "[stores.own]", "local/images": "own/images"})
    with pytest.raises(CannotUnwrap, match="local/images"):
        opened_by(site, sealed)
    assert store.unwrapped == 0


def test_a_replaced_recovery_key_still_opens_when_the_first_store_is_gone(
    make_sealer: MakeSealer, stores: Stores
) -> None:
    sealed = sealed_by(make_sealer())
    stores["local"] = MemoryKeyStore()
    changes = {'"recovery/recovery"]': "]", 'sources = ["file"]': 'sources = ["file"]{}'}
    without = {old: new.format("") for old, new in changes.items()}
    with pytest.raises(KeyNotFound):
        opened_by(make_sealer(without), sealed)
    retired = {old: new.format('\nopen-with = ["recovery/*"]') for old, new in changes.items()}
    assert opened_by(make_sealer(retired), sealed) == b"image"
