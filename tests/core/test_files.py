"""Outputs appear whole or not at all; readers give exactly what was asked for, or a typed error."""

from __future__ import annotations

import array
import bz2
import contextlib
import gzip
import io
import lzma
import mmap
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import pytest

from tegmen import Sealer, files, sealing
from tegmen.errors import InputError, IntegrityError, OutputError, OutputExists
from tegmen.interfaces import Reader


def read(source: Any) -> bytes:
    with files.reading(source) as (reader, _):
        return bytes(reader.view(0, reader.size))


def write_to(target: Any, data: bytes, *, force: bool = False) -> None:
    with files.writing(target, force=force) as sink:
        sink.write(data)


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
        sources: dict[str, Any] = {
            "path": path,
            "bytes": data,
            "file": file,
            "stream": io.BytesIO(data),
        }
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


# ---------------------------------------------------------------- sources


@pytest.mark.parametrize("opener", [gzip.open, bz2.open, lzma.open])
def test_what_a_file_object_gives_is_read_not_what_lies_below_it(
    tmp_path: Path, opener: Callable[..., IO[bytes]]
) -> None:
    with opener(tmp_path / "in", "wb") as file:
        file.write(b"plain" * 100)
    with opener(tmp_path / "in", "rb") as file:
        for source in (file, io.BufferedReader(cast(Any, file))):
            assert read(source) == b"plain" * 100
            file.seek(0)


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_real_file_is_read_where_it_lies_from_its_position(
    tmp_path: Path, buffering: int
) -> None:
    (tmp_path / "in").write_bytes(b"0123456789")
    with (tmp_path / "in").open("rb", buffering=buffering) as file:
        with files.reading(file) as (reader, _):
            assert isinstance(reader, files.FileReader)
        file.seek(5)
        assert read(file) == b"56789"


class Dribble(io.RawIOBase):
    """A raw file that gives, and takes, 3 bytes at a time."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.data.read(3)

    def write(self, data: Any) -> int:
        return self.data.write(bytes(data[:3]))


def test_short_reads_are_read_to_the_end() -> None:
    assert read(Dribble(b"0123456789")) == b"0123456789"


BUFFERS: list[Any] = [
    array.array("H", range(9)),
    memoryview(array.array("I", [1, 2])),
    memoryview(b""),
]


@pytest.mark.parametrize("source", BUFFERS, ids=str)
def test_any_contiguous_buffer_can_be_read(source: Any) -> None:
    assert read(source) == memoryview(source).tobytes()


def test_a_map_of_memory_can_be_read_and_written() -> None:
    with mmap.mmap(-1, 4096) as area:
        with files.writing(cast(Any, area)) as sink:
            sink.write(b"hello")
        assert read(area)[:6] == b"hello\0"
        del sink


class Endless:
    """What a file that does not block says when there is nothing yet."""

    def read(self) -> None:
        return None


class Breaking:
    """Like a damaged archive: an error that is no OSError."""

    def read(self) -> bytes:
        raise EOFError("the archive ends early")


class Tensor:
    """Has what a reader has by name, but not by kind."""

    def size(self) -> int:
        return 1

    def view(self) -> Tensor:
        return self


def closed(mode: str) -> IO[bytes]:
    file = open(os.devnull, mode)  # noqa: SIM115  # the mode is the test's
    file.close()
    return cast(IO[bytes], file)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "NoneType"),
        (5, "int"),
        (object(), "object"),
        (Tensor(), "Tensor"),
        (io.StringIO("text"), "StringIO gave str"),
        (closed("rb"), "closed"),
        (Endless(), "Endless gave NoneType"),
        (Breaking(), "Breaking: the archive ends early"),
        ("a\0b", "null"),
        ("\ud800", "surrogates"),
        (Path("a\0b"), "null"),
        (memoryview(b"abcdef")[::2], "memoryview"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_an_input_error(source: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)), files.reading(source):
        pass


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="regular"), files.reading(tmp_path / "fifo"):
        pass


# ---------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "NoneType"),
        (5, "int"),
        (b"bytes", "read-only"),
        (io.StringIO(), "StringIO: it takes text"),
        (closed("wb"), "it is closed"),
        (io.BufferedReader(io.BytesIO()), "it is not writable"),
        ("a\0b", "null"),
        ("\ud800", "surrogates"),
        ("x" * 300, "too long"),
        ("/dev/null/x", "Not a directory"),
        (memoryview(bytearray(6))[::2], "memoryview"),
    ],
    ids=str,
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_written_is_an_output_error(target: Any, message: str, force: bool) -> None:
    def write() -> None:
        with files.writing(target, force=force) as sink:
            sink.write(b"hello")

    with pytest.raises(OutputError, match=re.escape(message)):
        write()


def test_any_contiguous_writable_buffer_can_be_written() -> None:
    target = array.array("Q", [0, 0])
    with files.writing(target) as sink:
        sink.write(b"hello")
    assert memoryview(target).tobytes() == b"hello".ljust(16, b"\0")


def test_short_writes_go_on_until_all_is_written() -> None:
    target = Dribble()
    with files.writing(cast(Any, target)) as sink:
        sink.write(b"0123456789")
        assert sink.tell() == 10
    assert target.data.getvalue() == b"0123456789"


@pytest.mark.parametrize("count", [None, 0, 11, "10"])
def test_a_stream_that_does_not_say_what_it_took_is_refused(count: Any) -> None:
    class Stream(io.RawIOBase):
        def write(self, data: Any) -> int:
            return cast(int, count)

    with pytest.raises(OutputError, match=f"took {count} of 10"):
        write_to(Stream(), b"0123456789")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("buffering", [0, 1 << 16])
def test_a_full_stream_is_noticed_before_the_end(buffering: int) -> None:
    file = Path("/dev/full").open("wb", buffering=buffering)  # noqa: SIM115  # close fails too
    with pytest.raises(OutputError, match="space"):
        write_to(file, b"hello")
    with contextlib.suppress(OSError):
        file.close()


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "link to a folder", "device"])
def test_force_replaces_only_files(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
            server.bind("out")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path if kind == "link to a folder" else os.devnull)
    before = target.lstat()
    with pytest.raises(OutputError, match="not a regular file"):
        write_to(target, b"new", force=True)
    assert target.lstat() == before


@pytest.mark.parametrize("dangling", [False, True])
def test_force_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path, dangling: bool) -> None:
    if not dangling:
        (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "out").symlink_to("real")
    write_to(tmp_path / "out", b"new", force=True)
    assert not (tmp_path / "out").is_symlink()
    assert (tmp_path / "out").read_bytes() == b"new"
    assert dangling or (tmp_path / "real").read_bytes() == b"old"


@pytest.mark.parametrize("fails", [False, True])
def test_scratch_memory_is_wiped_only_on_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    wiped: list[files.FileSink] = []

    def wipe(sink: files.FileSink) -> None:
        wiped.append(sink)

    monkeypatch.setattr(files.FileSink, "wipe", wipe)
    with contextlib.suppress(RuntimeError), files.writing(tmp_path / "out") as sink:
        sink.write(b"x")
        if fails:
            raise RuntimeError
    assert wiped == [sink] * fails


def test_a_growing_sink_is_wiped_on_failure() -> None:
    sink = files.GrowingSink()

    def fail() -> None:
        with sink:
            sink.room(6)[:] = b"secret"
            sink.advance(6)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert sink.data == bytes(6)
    assert bytes(sink.room(6)) == bytes(6)


# ---------------------------------------------------------------- source and target are one


class Area:
    """One stretch of memory, and views of it."""

    def __init__(self, kind: str, size: int) -> None:
        makers: dict[str, Callable[[int], Any]] = {
            "bytearray": bytearray,
            "mmap": lambda size: mmap.mmap(-1, size),
            "array": lambda size: array.array("B", bytes(size)),
        }
        self.view = memoryview(makers[kind](size))


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("kind", ["bytearray", "mmap", "array"])
def test_buffers_that_overlap_are_refused_and_left_alone(
    make_sealer: Callable[..., Sealer], kind: str, read_only: bool
) -> None:
    sealer, data = make_sealer(), os.urandom(9000)
    area = Area(kind, 40000)
    area.view[5000:14000] = data
    before = bytes(area.view)
    source = area.view[5000:14000]
    source = source.toreadonly() if read_only else source
    for start, stop in ((0, 40000), (0, 5001), (13999, 40000), (6000, 7000)):
        with pytest.raises(OutputError, match="share memory"):
            sealer.seal(source, area.view[start:stop])
    assert bytes(area.view) == before
    receipt = sealer.seal(source, area.view[14000:])
    out = bytearray(9000)
    sealer.open(area.view[14000 : 14000 + receipt.sealed_size], out)
    assert out == data


def test_nothing_is_opened_in_place(make_sealer: Callable[..., Sealer]) -> None:
    sealer, sealed = make_sealer(), io.BytesIO()
    sealer.seal(os.urandom(9000), sealed)
    buffer = bytearray(sealed.getvalue())
    for source in (buffer, memoryview(buffer).toreadonly()):
        with pytest.raises(OutputError, match="share memory"):
            sealer.open(source, buffer)
    assert buffer == sealed.getvalue()


def second_name(path: Path, kind: str) -> Path:
    other = path.with_name("other")
    if kind == "same":
        return path
    if kind == "hard link":
        other.hardlink_to(path)
    else:
        other.symlink_to(path)
    return other


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("kind", ["same", "symbolic link", "hard link"])
def test_a_file_never_replaces_itself(
    make_sealer: Callable[..., Sealer], tmp_path: Path, kind: str, swapped: bool
) -> None:
    sealer = make_sealer()
    calls: dict[str, Callable[..., object]] = {"plain": sealer.seal, "sealed": sealer.open}
    for name, call in calls.items():
        source = tmp_path / name / "file"
        source.parent.mkdir()
        if name == "plain":
            source.write_bytes(b"original")
        else:
            sealer.seal(b"original", source)
        before = source.read_bytes()
        pair = [source, second_name(source, kind)]
        first, second = reversed(pair) if swapped else pair
        with pytest.raises(OutputError, match="itself the source"):
            call(first, second, force=True)
        with source.open("r+b") as file, pytest.raises(OutputError, match="itself the source"):
            call(first, file)
        assert source.read_bytes() == before


# ---------------------------------------------------------------- sources that change


@pytest.mark.parametrize("profile", ["plain", "trusting"])
@pytest.mark.parametrize("change", ["grows", "is rewritten"])
@pytest.mark.parametrize("given", ["path", "file", "watched"])
def test_a_source_that_changes_is_not_sealed(
    make_sealer: Callable[..., Sealer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    change: str,
    given: str,
) -> None:
    path, target = tmp_path / "in", tmp_path / "out"
    path.write_bytes(bytes(9000))
    os.utime(path, (1, 1))
    seal = sealing.seal

    def change_it(*args: Any, **options: Any) -> Any:
        with path.open("ab" if change == "grows" else "r+b") as file:
            file.write(b"late")
        if change == "grows":
            os.utime(path, (1, 1))  # whoever writes may set any time
        return seal(*args, **options)

    monkeypatch.setattr(sealing, "seal", change_it)
    with path.open("rb") as file, files.reading(path) as (reader, _):
        sources: dict[str, Any] = {"path": path, "file": file, "watched": Watched(reader)}
        with pytest.raises(InputError, match="changed while it was read"):
            make_sealer().seal(sources[given], target, profile)
    assert list(tmp_path.iterdir()) == [path]


class Watched:
    """A reader of one's own over another."""

    def __init__(self, reader: Reader) -> None:
        self.origin = reader
        self.size = reader.size
        self.view = reader.view
