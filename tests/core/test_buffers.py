"""Buffers that are used again: lent to one user at a time, zeros whenever nobody has them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tegmen import Sealer, files
from tegmen.buffers import Buffers, Larger, fresh, wipe
from tegmen.errors import IntegrityError, TegmenError

MIB = 1 << 20


def kept(buffers: Buffers) -> list[bytearray]:
    return buffers._free


def is_zeros(buffer: bytearray) -> bool:
    return buffer.count(0) == len(buffer)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 3 * MIB + 5])
@pytest.mark.parametrize("view", [False, True])
def test_wiping_overwrites_every_byte_in_place(size: int, view: bool) -> None:
    buffer = bytearray(b"\xff" * size)
    wipe(memoryview(buffer) if view else buffer)
    assert buffer == bytes(size)


def test_a_buffer_is_used_again_and_is_zeros_by_then() -> None:
    buffers = Buffers()
    with buffers.lent() as larger:
        first = larger(bytearray(), MIB)
        first[:] = b"\xff" * len(first)
    with buffers.lent() as larger:
        again = larger(bytearray(), MIB - 5)
        assert again is first
        assert is_zeros(again)


def test_buffers_are_wiped_and_kept_after_a_failure_too() -> None:
    buffers = Buffers()
    with pytest.raises(RuntimeError), buffers.lent() as larger:
        first = larger(bytearray(), 10)
        first[:6] = b"secret"
        raise RuntimeError
    assert kept(buffers) == [first]
    assert is_zeros(first)


def test_one_that_is_changed_for_a_larger_one_is_wiped_and_free_at_once() -> None:
    buffers = Buffers()
    with buffers.lent() as larger:
        small = larger(bytearray(), 10)
        small[:6] = b"secret"
        large = larger(small, len(small) + 1)
        assert len(large) > len(small)
        assert kept(buffers) == [small]
        assert is_zeros(small)
    assert [id(buffer) for buffer in kept(buffers)] == [id(small), id(large)]


def test_a_buffer_of_someone_else_is_not_taken_in() -> None:
    buffers, own = Buffers(), bytearray(b"mine")
    with buffers.lent() as larger:
        larger(own, 10)
    assert own == b"mine"
    assert all(buffer is not own for buffer in kept(buffers))


def test_the_smallest_that_fits_is_lent() -> None:
    buffers = Buffers()
    with buffers.lent() as larger:
        made = [larger(bytearray(), size) for size in (2 * MIB, MIB, 3 * MIB)]
    with buffers.lent() as larger:
        assert larger(bytearray(), MIB) is made[1]
        assert larger(bytearray(), MIB) is made[0]
        assert len(larger(bytearray(), 4 * MIB)) == 4 * MIB


def test_what_is_kept_is_bounded() -> None:
    buffers = Buffers()
    with buffers.lent() as larger:
        for _ in range(20):
            larger(bytearray(), 1)
        huge = larger(bytearray(), 4 * MIB + 1)
        huge[:6] = b"secret"
    assert len(kept(buffers)) == 8
    assert all(len(buffer) <= 4 * MIB for buffer in kept(buffers))
    assert is_zeros(huge)


def test_no_buffer_is_lent_to_two_at_once() -> None:
    buffers, users = Buffers(), 4
    together = threading.Barrier(users)

    def use(user: int) -> bool:
        alone = True
        for _ in range(200):
            with buffers.lent() as larger:
                mine = [larger(bytearray(), 100), larger(bytearray(), 70000)]
                together.wait()
                for buffer in mine:
                    alone &= is_zeros(buffer)
                    buffer[:] = bytes([user]) * len(buffer)
                together.wait()
                alone &= all(buffer.count(user) == len(buffer) for buffer in mine)
        return alone

    with ThreadPoolExecutor(users) as pool:
        assert all(pool.map(use, range(1, users + 1)))
    assert len(kept(buffers)) == users * 2
    assert len({id(buffer) for buffer in kept(buffers)}) == users * 2


# ---------------------------------------------------------------- the sealer's


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[bytearray]:
    """Every buffer that is lent from here on."""
    take, taken = Buffers._take, []

    def recorded(self: Buffers, size: int) -> bytearray:
        taken.append(take(self, size))
        return taken[-1]

    monkeypatch.setattr(Buffers, "_take", recorded)
    return taken


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").write_bytes(b"patient " * 40000)
    return tmp_path / "source"


@pytest.mark.parametrize("profile", ["plain", "trusting"])
def test_seal_open_and_verify_leave_zeros_and_make_no_new_buffers(
    make_sealer: Callable[..., Sealer],
    tmp_path: Path,
    source: Path,
    lent: list[bytearray],
    profile: str,
) -> None:
    sealer, counts = make_sealer(), []
    for turn in range(3):
        sealed = tmp_path / f"sealed-{turn}"
        sealer.seal(source, sealed, profile)
        sealer.open(sealed, tmp_path / f"opened-{turn}")
        sealer.verify(sealed)
        assert (tmp_path / f"opened-{turn}").read_bytes() == source.read_bytes()
        counts.append(len({id(buffer) for buffer in lent}))
    assert counts[0] == counts[-1] > 1
    assert all(is_zeros(buffer) for buffer in lent)


def test_a_failure_while_opening_leaves_no_plaintext(
    make_sealer: Callable[..., Sealer], tmp_path: Path, source: Path, lent: list[bytearray]
) -> None:
    sealer, sealed = make_sealer(), tmp_path / "sealed"
    sealer.seal(source, sealed, "plain")
    damaged = bytearray(sealed.read_bytes())
    damaged[-1] ^= 1
    sealed.write_bytes(damaged)
    del lent[:]
    with pytest.raises(IntegrityError):
        sealer.open(sealed, tmp_path / "opened")
    assert lent
    assert all(is_zeros(buffer) for buffer in lent)


def test_a_failure_while_sealing_leaves_no_plaintext(
    make_sealer: Callable[..., Sealer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    source: Path,
    lent: list[bytearray],
) -> None:
    write = os.write

    def full(fd: int, data: memoryview) -> int:
        if lent[1:]:  # one with plaintext, one with a segment
            raise OSError(28, "No space left on device")
        return write(fd, data)

    sealer = make_sealer()
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TegmenError, match="No space left"):
        sealer.seal(source, tmp_path / "sealed", "plain")
    assert lent[1:]
    assert all(is_zeros(buffer) for buffer in lent)


def test_what_a_caller_may_keep_is_never_lent_memory(
    make_sealer: Callable[..., Sealer], tmp_path: Path, source: Path, lent: list[bytearray]
) -> None:
    sealer, sealed = make_sealer(), tmp_path / "sealed"
    sealer.seal(source, sealed, "plain")
    del lent[:]
    with sealer.opened(sealed) as opened:
        assert opened.read(0) == source.read_bytes()
        opened.restore(tmp_path / "opened")
    assert lent == []


def test_many_threads_get_their_own_bytes(
    make_sealer: Callable[..., Sealer], tmp_path: Path
) -> None:
    sealer = make_sealer()

    def round_trip(number: int) -> bool:
        source, sealed, opened = (tmp_path / f"{kind}{number}" for kind in "abc")
        source.write_bytes(os.urandom(number * 9000))
        sealer.seal(source, sealed, "plain")
        sealer.open(sealed, opened)
        return source.read_bytes() == opened.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(round_trip, range(40)))


# ---------------------------------------------------------------- readers and sinks


@pytest.mark.parametrize("pooled", [False, True])
def test_readers_and_sinks_work_the_same_in_lent_memory(tmp_path: Path, pooled: bool) -> None:
    def work(larger: Larger) -> None:
        path, data = tmp_path / "file", os.urandom(200000)
        with files.writing(path, larger=larger) as sink:
            for start in range(0, len(data), 70000):
                piece = data[start : start + 70000]
                sink.room(len(piece))[:] = piece
                sink.advance(len(piece))
            assert sink.output().view(0, len(data)) == data
        with files.reading(path, larger) as (reader, _):
            assert [bytes(reader.view(0, size)) for size in (10, 70000)] == [
                data[:10],
                data[:70000],
            ]
            comparing = files.ComparingSink(reader, larger)
            comparing.write(data[:150000])
            comparing.room(80000)[:50000] = data[150000:]
            comparing.advance(50000)
            comparing.finish()
            with pytest.raises(IntegrityError):
                files.ComparingSink(reader, larger).write(b"\0" * 200001)
        counting = files.CountingSink(larger)
        counting.room(70000)
        counting.advance(70000)
        assert counting.tell() == 70000

    if not pooled:
        return work(fresh)
    with Buffers().lent() as larger:
        return work(larger)
