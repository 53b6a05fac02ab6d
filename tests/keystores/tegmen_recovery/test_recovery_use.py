"""Sealing without the private key, bringing it back, passphrases, and making the pair."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from tegmen.errors import (
    AccessDenied,
    CannotUnwrap,
    ConfigError,
    KeyExists,
    StoreUnavailable,
    WrongKey,
)
from tegmen_recovery.pem import new_key
from tegmen_recovery.store import RecoveryStore

OpenStore = Callable[..., RecoveryStore]

CONTEXT = bytes(range(16))
DATA_KEY = bytes(range(100, 132))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---------------------------------------------------------------- sealing without it


def test_seals_with_the_public_key_alone(
    new_store: OpenStore, open_store: OpenStore, private: Path, tmp_path: Path
) -> None:
    check = new_store().describe("recovery").check_value
    away = private.rename(tmp_path / "away.pem")
    for changes in ({"private_key": None}, {}):
        store = open_store(**changes)
        wrapped = store.wrap("recovery", DATA_KEY, CONTEXT)
        assert store.probe() is None
        assert [info.check_value for info in store.list_keys()] == [wrapped.check_value] == [check]
        with pytest.raises(CannotUnwrap):
            store.unwrap(wrapped, CONTEXT)
    away.rename(private)
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY, "the medium was brought while it ran"


def test_says_what_to_bring(new_store: OpenStore, open_store: OpenStore, private: Path) -> None:
    wrapped = new_store().wrap("recovery", DATA_KEY, CONTEXT)
    private.unlink()
    for changes, said in (({}, str(private)), ({"private_key": None}, "is not named")):
        with pytest.raises(CannotUnwrap) as caught:
            open_store(**changes).unwrap(wrapped, CONTEXT)
        assert said in str(caught.value)
        assert wrapped.check_value.hex() in str(caught.value)
        assert "private-key" in caught.value.hint


def test_the_medium_may_be_wholly_absent(new_store: OpenStore, open_store: OpenStore) -> None:
    new_store()
    for place in ("not-mounted/private.pem", "public.pem/private.pem"):
        store = open_store(private_key=Path(place))
        assert store.probe() is None
        with pytest.raises(CannotUnwrap):
            store.unwrap(store.wrap("recovery", DATA_KEY, CONTEXT), CONTEXT)


def test_refuses_a_foreign_slot_without_the_private_key(
    new_store: OpenStore, open_store: OpenStore
) -> None:
    wrapped = new_store().wrap("recovery", DATA_KEY, CONTEXT)
    store = open_store(private_key=None)
    for foreign in (evolve(wrapped, check_value=bytes(4096)), evolve(wrapped, check_kind="none")):
        with pytest.raises(WrongKey) as caught:
            store.unwrap(foreign, CONTEXT)
        assert len(str(caught.value)) < 400


def test_refuses_another_algorithm(new_store: OpenStore) -> None:
    store = new_store()
    wrapped = store.wrap("recovery", DATA_KEY, CONTEXT)
    with pytest.raises(WrongKey):
        store.unwrap(evolve(wrapped, algorithm="AES-256-GCM"), CONTEXT)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_wraps_only_a_data_key(new_store: OpenStore, size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        new_store().wrap("recovery", bytes(size), CONTEXT)


def test_the_check_value_that_is_configured_must_fit(
    new_store: OpenStore, open_store: OpenStore, public: Path
) -> None:
    check = new_store().describe("recovery").check_value.hex()
    assert open_store(check_value=check).wrap("recovery", DATA_KEY, CONTEXT)
    public.write_bytes(new_key().public.pem())
    store = open_store(check_value=check)
    with pytest.raises(WrongKey, match=check):
        store.wrap("recovery", DATA_KEY, CONTEXT)
    assert check in str(store.probe())


def test_another_private_key_is_told(
    new_store: OpenStore, open_store: OpenStore, private: Path, public: Path
) -> None:
    wrapped = new_store().wrap("recovery", DATA_KEY, CONTEXT)
    private.write_bytes(new_key().pem(None))
    store = open_store()
    with pytest.raises(WrongKey, match="has the key-check value") as caught:
        store.unwrap(wrapped, CONTEXT)
    assert wrapped.check_value.hex() in str(caught.value)
    assert "has the key-check value" in str(store.probe())


# ---------------------------------------------------------------- passphrases


def test_a_passphrase_is_asked_for_only_when_needed(
    new_store: OpenStore, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECOVERY_WORDS", raising=False)
    wrapped = new_store().wrap("recovery", DATA_KEY, CONTEXT)
    assert open_store(passphrase_env="RECOVERY_WORDS").unwrap(wrapped, CONTEXT) == DATA_KEY


def test_a_passphrase_from_the_environment(
    new_store: OpenStore,
    open_store: OpenStore,
    passphrase: str,
    passphrase_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrapped = new_store(passphrase_file=passphrase_file).wrap("recovery", DATA_KEY, CONTEXT)
    store = open_store(passphrase_env="RECOVERY_WORDS")
    monkeypatch.delenv("RECOVERY_WORDS", raising=False)
    with pytest.raises(StoreUnavailable, match="RECOVERY_WORDS is not set"):
        store.unwrap(wrapped, CONTEXT)
    assert "RECOVERY_WORDS" in str(store.probe())
    monkeypatch.setenv("RECOVERY_WORDS", passphrase)
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY


def test_the_longest_passphrase_works(
    new_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOVERY_WORDS", "w" * 1023)
    store = new_store(passphrase_env="RECOVERY_WORDS")
    assert store.unwrap(store.wrap("recovery", DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY


@pytest.mark.parametrize("value", ["", "wrong horse battery staple", "w" * 1023])
def test_a_wrong_passphrase_is_refused_and_not_repeated(
    new_store: OpenStore,
    open_store: OpenStore,
    passphrase_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
) -> None:
    wrapped = new_store(passphrase_file=passphrase_file).wrap("recovery", DATA_KEY, CONTEXT)
    monkeypatch.setenv("RECOVERY_WORDS", value)
    with pytest.raises(AccessDenied) as caught:
        open_store(passphrase_env="RECOVERY_WORDS").unwrap(wrapped, CONTEXT)
    assert not value or value not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is None


def test_an_encrypted_key_without_a_way_to_its_passphrase(
    new_store: OpenStore, open_store: OpenStore, passphrase_file: Path
) -> None:
    wrapped = new_store(passphrase_file=passphrase_file).wrap("recovery", DATA_KEY, CONTEXT)
    with pytest.raises(AccessDenied, match="is encrypted") as caught:
        open_store().unwrap(wrapped, CONTEXT)
    assert "passphrase-file" in caught.value.hint


def test_a_passphrase_is_asked_for_once(
    new_store: OpenStore, open_store: OpenStore, passphrase_file: Path
) -> None:
    wrapped = new_store(passphrase_file=passphrase_file).wrap("recovery", DATA_KEY, CONTEXT)
    store = open_store(passphrase_file=passphrase_file)
    ask, asked = store._ask, []

    def slowly(new: bool) -> bytearray:
        asked.append(new)
        time.sleep(0.05)
        assert ask is not None
        return ask(new)

    store._ask = slowly
    with ThreadPoolExecutor(4) as pool:
        opened = set(pool.map(lambda _: store.unwrap(wrapped, CONTEXT), range(8)))
    assert opened == {DATA_KEY}
    assert asked == [False]


# ---------------------------------------------------------------- making the pair


def test_makes_the_pair_and_protects_it(new_store: OpenStore, private: Path, public: Path) -> None:
    new_store()
    assert (mode(private.parent), mode(private), mode(public)) == (0o700, 0o600, 0o644)
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert [path.name for path in private.parent.iterdir()] == [private.name]


def test_folders_are_fit_whatever_the_umask(new_store: OpenStore, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = new_store(public_key=Path("etc/public.pem"))
    finally:
        os.umask(before)
    assert (mode(tmp_path / "etc"), mode(tmp_path / "safe")) == (0o755, 0o700)
    assert store.probe() is None


@pytest.mark.parametrize("name", ["safe/private.pem", "public.pem"])
@pytest.mark.parametrize("how", ["file", "dangling link"])
def test_overwrites_nothing(
    open_store: OpenStore, tmp_path: Path, name: str, how: str, private: Path, public: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if how == "file":
        path.write_text("mine")
    else:
        path.symlink_to("nowhere")
    with pytest.raises(KeyExists, match=path.name):  # before a passphrase is asked for
        open_store(passphrase_env="NO_SUCH_VARIABLE").initialise()
    assert [one for one in (private, public) if os.path.lexists(one)] == [path]
    assert os.path.islink(path) or path.read_text() == "mine"


def test_of_two_that_make_it_one_wins(open_store: OpenStore, private: Path, public: Path) -> None:
    def work(store: RecoveryStore) -> bool:
        try:
            store.initialise()
        except KeyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(work, [open_store() for _ in range(8)]))
    assert won.count(True) == 1
    store = open_store()
    assert store.unwrap(store.wrap("recovery", DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY


@pytest.mark.parametrize(
    ("changes", "said"), [({"private_key": None}, "no place"), ({"check_value": "0" * 64}, "check")]
)
def test_needs_to_know_what_to_make(
    open_store: OpenStore, changes: dict[str, object], said: str, public: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        open_store(**changes).initialise()
    assert not public.exists()


def test_a_weak_passphrase_makes_nothing(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch, private: Path, public: Path
) -> None:
    monkeypatch.setenv("RECOVERY_WORDS", "nineteen characters")
    with pytest.raises(AccessDenied, match="fewer than 20") as caught:
        open_store(passphrase_env="RECOVERY_WORDS").initialise()
    assert "nineteen" not in f"{caught.value} {caught.value.hint}"
    assert not private.exists()
    assert not public.exists()


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    heavy = ("cryptography", "cattrs", "cbor2")
    code = f"import sys, tegmen_recovery; print([n for n in {heavy} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
