"""What goes wrong with disks and permissions: a typed error, and the old store or the new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from tegmen.errors import (
    AccessDenied,
    InsecureConfig,
    KeyExists,
    KeyStoreError,
    StoreDamaged,
    StoreUnavailable,
    TegmenError,
)
from tegmen_file.store import FileStore

MakeStore = Callable[..., FileStore]
CONTEXT = bytes(16)
DATA_KEY = bytes(range(32))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store" / "keystore.json"


def changes(store: FileStore) -> list[Callable[[], object]]:
    """What writes to a store."""
    return [lambda: store.rotate("ward"), lambda: store.create("another")]


# ---------------------------------------------------------------- damaged files


@pytest.mark.parametrize("mask", [0x01, 0x80])
@pytest.mark.parametrize("kind", ["key file", "passphrase"])
def test_every_flipped_byte_is_noticed(
    new_store: MakeStore,
    open_store: MakeStore,
    file: Path,
    mask: int,
    kind: str,
    passphrase: str,
) -> None:
    secret = {"passphrase": passphrase} if kind == "passphrase" else {}
    new_store(**secret)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes((whole[place] ^ mask,)) + whole[place + 1 :])
        with pytest.raises(KeyStoreError):
            open_store(**secret).describe("ward")


def test_every_cut_is_noticed(new_store: MakeStore, file: Path) -> None:
    store = new_store()
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(StoreDamaged):
            store.wrap("ward", DATA_KEY, CONTEXT)
    file.write_bytes(whole)
    assert store.wrap("ward", DATA_KEY, CONTEXT)


def test_a_damaged_store_is_never_written_over(new_store: MakeStore, file: Path) -> None:
    store = new_store()
    file.write_bytes(file.read_bytes()[:-2])
    before = file.read_bytes()
    for change in changes(store):
        with pytest.raises(StoreDamaged):
            change()
    with pytest.raises(KeyExists):
        store.initialise()
    assert file.read_bytes() == before


def test_two_records_cannot_change_places(new_store: MakeStore, file: Path) -> None:
    import json

    store = new_store()
    store.rotate("ward")
    members = json.loads(file.read_bytes())
    one, two = members["keys"][0]["versions"]
    one["wrapped"], two["wrapped"] = two["wrapped"], one["wrapped"]
    file.write_text(json.dumps(members, sort_keys=True, separators=(",", ":")) + "\n")
    with pytest.raises(StoreDamaged, match="was altered"):
        store.describe("ward")


def test_probe_says_what_is_wrong(new_store: MakeStore, file: Path) -> None:
    store = new_store()
    assert store.probe() is None
    file.unlink()
    assert "there is no key store" in str(store.probe())


def test_a_store_that_is_gone_gives_no_key(new_store: MakeStore, file: Path) -> None:
    store = new_store()
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    file.rename(file.with_name("moved"))
    for call in (
        lambda: store.wrap("ward", DATA_KEY, CONTEXT),
        lambda: store.unwrap(wrapped, CONTEXT),
        lambda: store.create("x"),
    ):
        with pytest.raises(StoreUnavailable, match="there is no key store") as caught:
            call()
        assert "tegmen init" in caught.value.hint
    assert not file.exists()


# ---------------------------------------------------------------- the key file


@pytest.mark.parametrize("size", [0, 16, 31, 33, 100_000])
def test_a_key_file_of_another_size_is_refused(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path, size: int
) -> None:
    new_store()
    (tmp_path / "keys" / "root.key").write_bytes(bytes(size))
    with pytest.raises(AccessDenied, match="not 32"):
        open_store().describe("ward")


def test_a_wrong_key_file_is_told_from_damage(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path
) -> None:
    new_store()
    (tmp_path / "keys" / "root.key").write_bytes(os.urandom(32))
    with pytest.raises(AccessDenied, match="the key-file given does not open"):
        open_store().describe("ward")


def test_a_missing_key_file_is_named(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path
) -> None:
    new_store()
    (tmp_path / "keys" / "root.key").unlink()
    with pytest.raises(StoreUnavailable, match=r"root\.key is missing"):
        open_store().describe("ward")


# ---------------------------------------------------------------- permissions


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("keys/root.key", 0o640),
        ("store/keystore.json", 0o604),
        ("keys", 0o770),
        ("store", 0o1777),
    ],
)
def test_what_others_may_touch_is_refused_with_the_remedy(
    new_store: MakeStore, open_store: MakeStore, tmp_path: Path, name: str, mode: int
) -> None:
    new_store()
    (tmp_path / name).chmod(mode)
    with pytest.raises(InsecureConfig) as caught:
        open_store().describe("ward")
    assert f"{mode:04o}" in str(caught.value)
    remedy = caught.value.hint.removeprefix("run: ").partition(" (")[0]
    subprocess.run(remedy, shell=True, check=True)
    assert open_store().describe("ward")


def test_permissions_that_change_later_are_noticed(new_store: MakeStore, file: Path) -> None:
    store = new_store()
    store.describe("ward")
    file.chmod(0o644)
    with pytest.raises(InsecureConfig):
        store.wrap("ward", DATA_KEY, CONTEXT)


# ---------------------------------------------------------------- disks


@pytest.fixture
def small_disk(tmp_path: Path, mount_small_disk: Callable[[Path], Path]) -> Path:
    """A file system of 64 KiB at the place of the store."""
    return mount_small_disk(tmp_path / "store")


def test_a_full_disk_leaves_the_old_store(
    small_disk: Path, new_store: MakeStore, fill: Callable[[Path], Path]
) -> None:
    store = new_store()
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    filler = fill(small_disk)
    for change in changes(store):
        with pytest.raises(StoreUnavailable, match="was not changed") as caught:
            change()
        assert "space" in caught.value.hint
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY
    filler.unlink()
    assert store.rotate("ward").version == "2"
    assert sorted(path.name for path in small_disk.iterdir()) == [
        "keystore.json",
        "keystore.lock",
    ]


def test_a_full_disk_makes_no_store(
    small_disk: Path, open_store: MakeStore, fill: Callable[[Path], Path]
) -> None:
    store = open_store()
    fill(small_disk)
    with pytest.raises(StoreUnavailable):
        store.initialise()
    assert not store._folder.exists()


def test_a_read_only_disk_still_opens(small_disk: Path, new_store: MakeStore) -> None:
    store = new_store()
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for change in (*changes(store), store.initialise):
        with pytest.raises((StoreUnavailable, AccessDenied)):
            change()
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY
    assert store.backup(small_disk.parent / "backup") == ["ward"]


def test_a_read_only_folder_still_opens(
    new_store: MakeStore, tmp_path: Path, is_root: bool
) -> None:
    if is_root:
        pytest.skip("permissions do not bind root; the read-only disk is tested instead")
    store = new_store()
    wrapped = store.wrap("ward", DATA_KEY, CONTEXT)
    (tmp_path / "store").chmod(0o500)
    try:
        with pytest.raises(StoreUnavailable, match="was not changed"):
            store.rotate("ward")
        assert store.unwrap(wrapped, CONTEXT) == DATA_KEY
    finally:
        (tmp_path / "store").chmod(0o700)


def test_a_folder_that_cannot_be_made_is_named(open_store: MakeStore, tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"a file")
    with pytest.raises(TegmenError, match="store"):
        open_store().initialise()
    with pytest.raises(TegmenError, match="store"):
        open_store().describe("ward")


# ---------------------------------------------------------------- several at once


def test_a_writer_waits_only_so_long(new_store: MakeStore, open_store: MakeStore) -> None:
    new_store()
    patient = open_store(lock_timeout=0.05)
    with FileLock(patient._folder.path / "keystore.lock"):
        with pytest.raises(StoreUnavailable, match="another process is writing"):
            patient.rotate("ward")
        assert patient.describe("ward").version == "1"
    assert patient.rotate("ward").version == "2"


def test_threads_lose_no_change(new_store: MakeStore) -> None:
    store = new_store()

    def work(worker: int) -> None:
        store.create(f"key-{worker}")
        store.rotate("ward")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert len(store.list_keys()) == 17
    assert store.describe("ward").version == "17"


PRELUDE = """
import os, random, signal, sys, time
from pathlib import Path
from tegmen_file import FileOptions, make_store

def store():
    options = FileOptions(path=Path("store"), key_file=Path("keys/root.key"))
    return make_store(options, Path(sys.argv[1]))
"""

WRITE = """
for turn in range(5):
    store().create(f"key-{sys.argv[2]}-{turn}")
    store().rotate("ward")
"""

KILL = """
store().rotate("ward")  # imports everything, so that the writers start at once
wrapped, killed = store().wrap("ward", bytes(range(32)), bytes(16)), 0
for run in range(40):
    before = int(store().describe("ward").version)
    child = os.fork()
    if child == 0:
        try:
            writer = store()
            while True:
                writer.rotate("ward")
        finally:
            os._exit(1)
    time.sleep(random.uniform(0.002, 0.03))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "the writer failed by itself"
    after = store()
    assert int(after.describe("ward").version) >= before
    assert after.unwrap(wrapped, bytes(16)) == bytes(range(32))
    killed += int(after.describe("ward").version) > before
store().rotate("ward")
print(killed)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def result(process: subprocess.Popen[bytes]) -> bytes:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    return output


def test_processes_lose_no_change(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    for process in [start(WRITE, tmp_path, worker) for worker in range(4)]:
        result(process)
    assert len(store.list_keys()) == 21
    assert store.describe("ward").version == "21"


def test_a_kill_leaves_the_old_store_or_the_new(new_store: MakeStore, tmp_path: Path) -> None:
    new_store()
    killed_at_work = int(result(start(KILL, tmp_path)))
    assert killed_at_work >= 5, "the writers were killed before they wrote"
    names = sorted(path.name for path in (tmp_path / "store").iterdir())
    assert names == ["keystore.json", "keystore.lock"]


def test_what_a_killed_writer_left_is_removed(new_store: MakeStore, tmp_path: Path) -> None:
    store = new_store()
    leftover = tmp_path / "store" / ".0123456789abcdef01234567.part"
    leftover.write_bytes(b"keys that are destroyed next")
    store.destroy("ward", store.describe("ward").check_value)
    assert not leftover.exists()
