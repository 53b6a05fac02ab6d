"""Outputs appear whole or not at all; readers give exactly what was asked for, or a typed error."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tegmen import files
from tegmen.errors import InputError, IntegrityError, OutputError, OutputExists


def test_a_path_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with files.writing(target) as sink:
        sink.write(b"hello")
        assert list(tmp_path.iterdir()) == []
    assert target.read_bytes() == b"hello"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("named", [False, True])
def test_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        monkeypatch.delattr(os, "O_TMPFILE")
    target = tmp_path / "out"
    target.write_bytes(b"old")

    def fail() -> None:
        with files.writing(target, force=True) as sink:
            sink.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("named", [False, True])
def test_an_existing_path_stays_unless_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        monkeypatch.delattr(os, "O_TMPFILE")
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists), files.writing(target) as sink:
        sink.write(b"new")
    assert target.read_bytes() == b"old"
    with files.writing(target, force=True) as sink:
        sink.write(b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("named", [False, True])
def test_a_path_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        monkeypatch.delattr(os, "O_TMPFILE")
    target = tmp_path / "out"
    with pytest.raises(OutputExists), files.writing(target) as sink:
        sink.write(b"new")
        target.write_bytes(b"someone else's")
    assert target.read_bytes() == b"someone else's"
    assert list(tmp_path.iterdir()) == [target]


def test_opened_files_are_private(tmp_path: Path) -> None:
    with files.writing(tmp_path / "out", mode=0o600) as sink:
        sink.write(b"x")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"), files.writing(tmp_path / "no" / "out"):
        pass


def test_a_buffer_is_wiped_on_failure() -> None:
    target = bytearray(b"keep this?")

    def fail() -> None:
        with files.writing(target) as sink:
            sink.write(b"plain")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target == bytes(10)


def test_a_small_buffer_says_how_small() -> None:
    with pytest.raises(OutputError, match="holds 3 bytes"), files.writing(bytearray(3)) as sink:
        sink.write(b"four")


def test_a_read_only_buffer_is_refused() -> None:
    with pytest.raises(OutputError, match="read-only"), files.writing(memoryview(b"abc")):
        pass


def test_memory_sinks_lend_the_target_itself() -> None:
    target = bytearray(10)
    sink = files.MemorySink(target)
    sink.room(4)[:] = b"abcd"
    sink.advance(4)
    assert target[:4] == b"abcd"
    sink.room(8)[:] = b"12345678"  # more than is left: a tag that goes elsewhere
    sink.advance(6)
    assert bytes(target) == b"abcd123456"
    sink.patch(1, b"XY")
    assert bytes(target) == b"aXYd123456"


@pytest.mark.parametrize("kind", ["path", "bytes", "file", "stream"])
def test_readers_give_exactly_what_is_there(tmp_path: Path, kind: str) -> None:
    data = os.urandom(5000)
    path = tmp_path / "in"
    path.write_bytes(data)
    with path.open("rb") as file:
        sources = {"path": path, "bytes": data, "file": file, "stream": io.BytesIO(data)}
        with files.reading(sources[kind]) as (reader, name):
            assert reader.size == 5000
            assert bytes(reader.view(100, 4900)) == data[100:]
            assert bytes(reader.view(0, 1)) == data[:1]
            assert name == ("in" if kind == "path" else "")
            for offset, length in ((0, 5001), (5000, 1), (-1, 1), (0, -1), (1 << 60, 1)):
                with pytest.raises(InputError):
                    reader.view(offset, length)


def test_a_file_that_shrinks_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(bytes(5000))
    with files.reading(path) as (reader, _):
        os.truncate(path, 10)
        with pytest.raises(InputError, match="ends early"):
            reader.view(0, 5000)


@pytest.mark.parametrize("name", [".", "missing"])
def test_what_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError), files.reading(tmp_path / name):
        pass


def test_joined_readers_cross_and_skip_empty_stretches() -> None:
    first, second = files.MemoryReader(b"abcdef"), files.MemoryReader(b"XYZ")
    joined = files.JoinedReader([(first, 1, 3), (second, 0, 0), (second, 1, 2), (first, 5, 1)])
    assert joined.size == 6
    whole = b"bcdYZf"
    for start in range(7):
        for end in range(start, 7):
            assert bytes(joined.view(start, end - start)) == whole[start:end]
    with pytest.raises(InputError):
        joined.view(3, 4)


def test_comparing_finds_a_difference_and_an_early_end() -> None:
    comparing = files.ComparingSink(files.MemoryReader(b"abcdef"))
    comparing.room(3)[:] = b"abc"
    comparing.advance(3)
    comparing.write(b"de")
    with pytest.raises(IntegrityError, match="5 bytes of 6"):
        comparing.finish()
    with pytest.raises(IntegrityError, match="same bytes"):
        comparing.write(b"F")
    with pytest.raises(IntegrityError, match="same bytes"):
        comparing.write(b"fg")


@pytest.mark.parametrize("size", [10, files.SPOOL_IN_MEMORY + 1])
def test_a_spool_can_be_patched_and_read(size: int) -> None:
    with files.spooling(size) as spool:
        spool.write(b"hello world")
        spool.patch(0, b"J")
        assert bytes(spool.output().view(0, 11)) == b"Jello world"
