"""The life of a key: versions, states, destruction, backups; where the root secret comes from."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tegmen_file
from tegmen.errors import (
    AccessDenied,
    ConfigError,
    InputError,
    KeyDestroyed,
    KeyDisabled,
    KeyExists,
    KeyNotFound,
    KeyStoreError,
    OutputError,
    OutputExists,
    StoreDamaged,
    StoreUnavailable,
    WrongKey,
)
from tegmen_file import FileOptions
from tegmen_file.store import FileStore

MakeStore = Callable[..., FileStore]
CONTEXT = bytes(16)
DATA_KEY = bytes(range(32))


def destroy(store: FileStore, key_id: str) -> None:
    store.destroy(key_id, store.describe(key_id).check_value)


# ---------------------------------------------------------------- making a store


def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    store = tegmen_file.create_store(tmp_path / "a" / "store", key_file=tmp_path / "b" / "root.key")
    store.create("ward")
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (*(tmp_path / "a").rglob("*"), *(tmp_path / "b").rglob("*"))
    }
    assert modes == {"store": 0o700, "keystore.json": 0o600, "keystore.lock": 0o600} | {
        "root.key": 0o600
    }
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o700
    assert (tmp_path / "b" / "root.key").stat().st_size == 32


def test_an_umask_that_gives_all_away_changes_nothing(new_store: MakeStore, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        new_store()
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert not any(path.stat().st_mode & 0o077 for path in files)


def test_an_existing_key_file_is_used_as_it_is(new_store: MakeStore, tmp_path: Path) -> None:
    new_store("store")
    before = (tmp_path / "keys" / "root.key").read_bytes()
    new_store("second")
    assert (tmp_path / "keys" / "root.key").read_bytes() == before


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {"key_file": Path("a"), "passphrase_env": "B"},
        {"passphrase_file": Path("a"), "prompt": True},
    ],
)
def test_exactly_one_way_to_the_secret(ways: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{len(ways)} ways"):
        FileStore(FileOptions(path=Path("store"), **ways), tmp_path)  # type: ignore[arg-type]  # mixed


@pytest.mark.parametrize("name", ["", " x", "x\n", "x\x1b[2J", "e\u0301", "x" * 129, "\ud800"])
def test_a_name_that_cannot_be_told_apart_is_refused(new_store: MakeStore, name: str) -> None:
    store = new_store()
    with pytest.raises(ConfigError, match="cannot name a key"):
        store.create(name)
    assert [info.key_id for info in store.list_keys()] == ["ward"]


# ---------------------------------------------------------------- states and destruction


def test_another_instance_sees_a_change_at_once(
    new_store: MakeStore, open_store: MakeStore
) -> None:
    first, second = new_store(), open_store()
    wrapped = second.wrap("ward", DATA_KEY, CONTEXT)
    first.set_state("ward", None, False)
    with pytest.raises(KeyDisabled):
        second.unwrap(wrapped, CONTEXT)
    first.set_state("ward", None, True)
    first.rotate("ward")
    assert second.wrap("ward", DATA_KEY, CONTEXT).version == "2"
    destroy(first, "ward")
    with pytest.raises(KeyDestroyed):
        second.unwrap(wrapped, CONTEXT)


def test_a_destroyed_key_leaves_only_what_tells_it_apart(
    new_store: MakeStore, tmp_path: Path
) -> None:
    store = new_store()
    store.rotate("ward")
    before = store.describe("ward")
    destroy(store, "ward")
    (key,) = json.loads((tmp_path / "store" / "keystore.json").read_bytes())["keys"]
    assert key["prf"] is None
    assert [version["wrapped"] for version in key["versions"]] == [None, None]
    after = store.describe("ward")
    assert after.check_value == before.check_value
    assert after.versions == (("1", "destroyed"), ("2", "destroyed"))
    for call in (lambda: store.prf("ward", b""), lambda: destroy(store, "ward")):
        with pytest.raises(KeyDestroyed, match="'ward' was destroyed"):
            call()


def test_another_keys_blob_is_the_wrong_key_even_after_destruction(new_store: MakeStore) -> None:
    first, second = new_store("store"), new_store("second")
    wrapped = first.wrap("ward", DATA_KEY, CONTEXT)
    destroy(second, "ward")
    with pytest.raises(WrongKey):
        second.unwrap(wrapped, CONTEXT)


def test_the_keyed_function_works_while_any_version_does(new_store: MakeStore) -> None:
    store = new_store()
    before = store.prf("ward", b"stego")
    store.rotate("ward")
    store.set_state("ward", "2", False)
    assert store.prf("ward", b"stego") == before
    store.set_state("ward", "1", False)
    with pytest.raises(KeyDisabled):
        store.prf("ward", b"stego")


def test_an_unknown_version_is_named(new_store: MakeStore) -> None:
    with pytest.raises(KeyNotFound, match="no version '7'"):
        new_store().set_state("ward", "7", False)


def test_a_data_key_has_32_bytes(new_store: MakeStore) -> None:
    with pytest.raises(ValueError, match="not 16"):
        new_store().wrap("ward", bytes(16), CONTEXT)


def test_key_material_stands_nowhere(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    opened = store._now()
    (key,) = opened.keys.values()
    root = (tmp_path / "keys" / "root.key").read_bytes()
    said = repr((store, opened, key, key.versions, store._unlocked, opened.versions))
    on_disk = (tmp_path / "store" / "keystore.json").read_bytes()
    assert key.prf is not None
    for secret in (root, key.prf, *(version.key or b"" for version in key.versions)):
        assert len(secret) == 32
        assert secret.hex() not in said
        assert repr(secret) not in said
        assert secret.hex().encode() not in on_disk


# ---------------------------------------------------------------- backups


def test_a_lost_store_comes_back(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path
) -> None:
    store = new_store()
    store.create("archive")
    store.rotate("ward")
    old, prf = store.wrap("ward", DATA_KEY, CONTEXT), store.prf("ward", b"x")
    assert store.backup(tmp_path / "backup") == ["archive", "ward"]
    for path in (tmp_path / "store").iterdir():
        path.unlink()

    again = open_store()
    again.initialise()
    assert again.restore(tmp_path / "backup") == ["archive", "ward"]
    assert again.unwrap(old, CONTEXT) == DATA_KEY
    assert again.prf("ward", b"x") == prf


def test_a_backup_can_stand_in_for_the_store(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path
) -> None:
    store = new_store()
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    store.backup(tmp_path / "backup")
    (tmp_path / "backup").replace(tmp_path / "store" / "keystore.json")
    assert open_store().unwrap(wrapped, CONTEXT) == DATA_KEY


def test_a_store_that_was_lost_whole_is_put_back(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    store.backup(tmp_path / "backup")
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(StoreUnavailable):
        store.unwrap(wrapped, CONTEXT)
    assert store.restore(tmp_path / "backup") == ["ward"]
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700


def test_a_damaged_backup_puts_nothing_back(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    store.backup(tmp_path / "backup")
    shutil.rmtree(tmp_path / "store")
    data = bytearray((tmp_path / "backup").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "backup").write_bytes(data)
    with pytest.raises(StoreDamaged):
        store.restore(tmp_path / "backup")
    assert not (tmp_path / "store").exists()


def test_a_backup_is_worth_nothing_without_the_secret(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path
) -> None:
    new_store().backup(tmp_path / "backup")
    thief = open_store("thief", key="thief.key")
    thief.initialise()
    with pytest.raises(AccessDenied, match="does not open"):
        thief.restore(tmp_path / "backup")
    assert thief.list_keys() == []


def test_a_backup_under_a_passphrase_restores_under_a_new_salt(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path, passphrase: str
) -> None:
    store = new_store(passphrase=passphrase)
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    store.backup(tmp_path / "backup")
    second = open_store("second", passphrase=passphrase)
    second.initialise()
    assert second.restore(tmp_path / "backup") == ["ward"]
    assert second.unwrap(wrapped, CONTEXT) == DATA_KEY


def test_an_old_backup_overwrites_nothing(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    store.create("gone")
    store.backup(tmp_path / "backup")
    store.rotate("ward")
    store.set_state("ward", "1", False)
    destroy(store, "gone")
    before = store.list_keys()
    assert store.restore(tmp_path / "backup") == []
    assert store.list_keys() == before


def test_a_new_backup_brings_later_versions_to_an_old_store(
    new_store: MakeStore, tmp_path: Path
) -> None:
    store = new_store()
    file = tmp_path / "store" / "keystore.json"
    old = file.read_bytes()
    store.rotate("ward")
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    store.backup(tmp_path / "backup")
    file.write_bytes(old)
    with pytest.raises(KeyNotFound, match="no version '2'"):
        store.unwrap(wrapped, CONTEXT)
    assert store.restore(tmp_path / "backup") == ["ward"]
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY


def test_what_was_destroyed_before_the_backup_is_remembered(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path
) -> None:
    store = new_store()
    destroy(store, "ward")
    store.backup(tmp_path / "backup")
    second = open_store("second")
    second.initialise()
    assert second.restore(tmp_path / "backup") == ["ward"]
    assert second.describe("ward").state == "destroyed"


def test_one_key_that_clashes_keeps_the_whole_backup_out(
    new_store: MakeStore, tmp_path: Path
) -> None:
    store, second = new_store("store"), new_store("second")
    store.create("archive")
    store.backup(tmp_path / "backup")
    with pytest.raises(KeyExists, match="'ward' here is another key"):
        second.restore(tmp_path / "backup")
    assert [info.key_id for info in second.list_keys()] == ["ward"]


def test_backups_go_elsewhere_and_overwrite_nothing(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    with pytest.raises(OutputError, match="is lost with it"):
        store.backup(tmp_path / "store" / "backup")
    (tmp_path / "backup").write_bytes(b"mine")
    with pytest.raises(OutputExists):
        store.backup(tmp_path / "backup")
    assert (tmp_path / "backup").read_bytes() == b"mine"
    with pytest.raises(OutputError):
        store.backup(tmp_path / "no" / "folder")


def test_every_damage_to_a_backup_is_noticed(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path
) -> None:
    new_store().backup(tmp_path / "backup")
    second = open_store("second")
    second.initialise()
    before, whole = second._now().data, (tmp_path / "backup").read_bytes()
    for place in range(len(whole)):
        flipped = whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :]
        (tmp_path / "backup").write_bytes(flipped)
        with pytest.raises(KeyStoreError):
            second.restore(tmp_path / "backup")
    assert (tmp_path / "second" / "keystore.json").read_bytes() == before
    with pytest.raises(InputError):
        second.restore(tmp_path / "missing")
    with pytest.raises(InputError):
        second.restore(tmp_path)


# ---------------------------------------------------------------- passphrases


def test_the_passphrase_may_stand_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passphrase: str
) -> None:
    options = FileOptions(path=Path("store"), passphrase_env="TEGMEN_TEST_PASSPHRASE")
    store = FileStore(options, tmp_path)
    with pytest.raises(StoreUnavailable, match="TEGMEN_TEST_PASSPHRASE is not set"):
        store.initialise()
    monkeypatch.setenv("TEGMEN_TEST_PASSPHRASE", passphrase)
    store.initialise()
    store.create("ward")
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    assert FileStore(options, tmp_path).unwrap(wrapped, CONTEXT) == DATA_KEY
    root = json.loads((tmp_path / "store" / "keystore.json").read_bytes())["root"]
    assert root["argon2id"] == {"iterations": 3, "lanes": 4, "memory_kib": 65536}


@pytest.mark.parametrize("wrong", ["Correct horse battery staple", "correct horse battery staple "])
def test_a_wrong_passphrase_is_told_from_damage(
    new_store: MakeStore, open_store: MakeStore, passphrase: str, wrong: str
) -> None:
    new_store(passphrase=passphrase)
    with pytest.raises(AccessDenied, match="the passphrase given does not open") as caught:
        open_store(passphrase=wrong).describe("ward")
    assert wrong not in f"{caught.value} {caught.value.hint}"


def test_a_new_store_wants_a_passphrase_worth_the_name(open_store: MakeStore) -> None:
    store = open_store(passphrase="11 letters.")
    with pytest.raises(AccessDenied, match="fewer than 12"):
        store.initialise()
    assert not store._folder.exists()


def test_a_passphrase_store_does_not_open_with_a_key_file(
    new_store: MakeStore, open_store: MakeStore, passphrase: str
) -> None:
    new_store(passphrase=passphrase)
    with pytest.raises(AccessDenied, match="made with a passphrase"):
        open_store().describe("ward")


def test_the_passphrase_is_stretched_once(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path, passphrase: str
) -> None:
    new_store(passphrase=passphrase)
    store = open_store(passphrase=passphrase)
    store.describe("ward")
    (tmp_path / "passphrase").unlink()
    store.rotate("ward")
    assert store.wrap("ward", DATA_KEY, CONTEXT).version == "2"


def test_memory_that_is_not_there_is_told(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path, passphrase: str
) -> None:
    new_store(passphrase=passphrase)
    file = tmp_path / "store" / "keystore.json"
    file.write_bytes(file.read_bytes().replace(b'"memory_kib":128', b'"memory_kib":1048576'))
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tegmen_file import FileOptions, make_store\n"
        "options = FileOptions(path=Path('store'), passphrase_file=Path('passphrase'))\n"
        "store = make_store(options, Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n"
        "print(store.probe())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, timeout=60, check=True
    )
    assert b"1024 MiB of memory" in done.stdout, done.stderr


def test_damage_is_told_from_a_wrong_passphrase(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    store.set_state("ward", None, False)
    file = tmp_path / "store" / "keystore.json"
    file.write_bytes(file.read_bytes().replace(b'"disabled"', b'"enabled"'))
    with pytest.raises(StoreDamaged, match="was altered"):
        store.describe("ward")
