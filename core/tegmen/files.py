"""Readers and sinks over paths, bytes, files and buffers; outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, Self

from tegmen.errors import InputError, IntegrityError, OutputError, OutputExists
from tegmen.interfaces import Buffer, Reader, Sink

Readable = str | os.PathLike[str] | Buffer | IO[bytes] | Reader
"""What can be sealed or opened: a path, bytes, a binary file, or a reader of one's own."""

Writable = str | os.PathLike[str] | bytearray | memoryview | IO[bytes]
"""Where output can go: a path, a writable buffer, or a binary file."""

COPY_CHUNK = 1 << 20
SPOOL_IN_MEMORY = 1 << 24


def _short(offset: int, length: int, size: int) -> InputError:
    return InputError(
        f"input ends early: {length} bytes wanted at offset {offset}, it has {size}",
        hint="the file is cut or still being written; fetch it again",
    )


class MemoryReader:
    """A reader over bytes in memory; its views copy nothing."""

    __slots__ = ("_view", "size")

    def __init__(self, data: Buffer) -> None:
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)

    def view(self, offset: int, length: int) -> memoryview:
        view = self._view[offset : offset + length]
        if len(view) != length or offset < 0:
            raise _short(offset, length, self.size)
        return view


class FileReader:
    """A reader over an open file descriptor; one buffer, reused by every view."""

    __slots__ = ("_buffer", "_fd", "name", "size")

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._buffer = bytearray(0)
        self.name = name
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name} is not a regular file", hint="name a file, or - for stdin")
        self.size = status.st_size

    def view(self, offset: int, length: int) -> memoryview:
        if offset + length > self.size or offset < 0 or length < 0:
            raise _short(offset, length, self.size)
        if len(self._buffer) < length:
            self._buffer = bytearray(length)
        view = memoryview(self._buffer)[:length]
        done = 0
        while done < length:
            try:
                count = os.preadv(self._fd, [view[done:]], offset + done)
            except OSError as error:
                raise InputError(f"cannot read {self.name}: {error.strerror}") from error
            if count == 0:
                raise _short(offset, length, offset + done)
            done += count
        return view


class JoinedReader:
    """Several stretches of other readers, read as one.

    A view inside one stretch is that reader's own view; one that crosses is copied.
    """

    __slots__ = ("_ends", "_extents", "size")

    def __init__(self, extents: Sequence[tuple[Reader, int, int]]) -> None:
        self._extents = [extent for extent in extents if extent[2]]
        self._ends: list[int] = []
        total = 0
        for _, _, length in self._extents:
            total += length
            self._ends.append(total)
        self.size = total

    def view(self, offset: int, length: int) -> memoryview:
        if offset + length > self.size or offset < 0 or length < 0:
            raise _short(offset, length, self.size)
        if length == 0:
            return memoryview(b"")
        index = bisect_right(self._ends, offset)
        reader, start, extent = self._extents[index]
        within = offset - (self._ends[index] - extent)
        if within + length <= extent:
            return reader.view(start + within, length)
        joined = bytearray()
        while len(joined) < length:
            reader, start, extent = self._extents[index]
            take = min(extent - within, length - len(joined))
            joined += reader.view(start + within, take)
            index, within = index + 1, 0
        return memoryview(joined)


def copy(reader: Reader, sink: Sink, offset: int = 0, length: int | None = None) -> None:
    """Write `length` bytes of `reader` from `offset` (all that follow when None) to `sink`."""
    end = reader.size if length is None else offset + length
    while offset < end:
        take = min(COPY_CHUNK, end - offset)
        sink.write(reader.view(offset, take))
        offset += take


def reading(source: Readable) -> AbstractContextManager[tuple[Reader, str]]:
    """A reader over `source`, and its base name (empty when it has none), for a `with` block.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return nullcontext((MemoryReader(source), ""))
    if isinstance(source, (str, os.PathLike)):
        return _reading_path(os.fspath(source))
    return nullcontext((source if isinstance(source, Reader) else _file_reader(source), ""))


@contextlib.contextmanager
def _reading_path(path: str) -> Iterator[tuple[Reader, str]]:
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        yield FileReader(fd, path), os.path.basename(path)
    finally:
        os.close(fd)


def _file_reader(file: IO[bytes]) -> Reader:
    """A seekable real file is read where it lies; any other stream is read into memory."""
    try:
        if file.seekable() and file.tell() == 0:
            return FileReader(file.fileno(), "the input file")
    except (OSError, AttributeError, ValueError, InputError):
        pass
    return MemoryReader(file.read())


class MemorySink:
    """A sink over a writable buffer; segments are encrypted straight into it.

    As a context manager it wipes the buffer if the block ends in an exception.
    """

    patchable = True

    def __init__(self, target: bytearray | memoryview) -> None:
        self._target = memoryview(target).cast("B")
        if self._target.readonly:
            raise OutputError("the target buffer is read-only", hint="pass a bytearray")
        self._size = len(self._target)
        self._position = 0
        self._scratch: memoryview | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is not None:
            self.wipe()

    def tell(self) -> int:
        return self._position

    def room(self, size: int) -> memoryview:
        view = self._target[self._position : self._position + size]
        if len(view) < size:  # the last segment's tag may not fit when tags go elsewhere
            view = self._scratch = memoryview(bytearray(size))
        return view

    def advance(self, used: int) -> None:
        end = self._position + used
        if end > self._size:
            raise OutputError(
                f"the target buffer is too small: it holds {self._size} bytes",
                hint="ask sealed_size for the exact length",
            )
        if self._scratch is not None:
            self._target[self._position : end] = self._scratch[:used]
            self._scratch = None
        self._position = end

    def write(self, data: Buffer) -> None:
        size = memoryview(data).nbytes
        self.room(size)[:size] = data
        self.advance(size)

    def patch(self, offset: int, data: Buffer) -> None:
        self._target[offset : offset + len(data)] = data

    def output(self) -> Reader:
        """What was output so far."""
        return MemoryReader(self._target[: self._position])

    def wipe(self) -> None:
        """Overwrite all that was output, and all that could have been."""
        self._target[:] = bytes(len(self._target))


class GrowingSink:
    """A sink into memory of its own, for output whose size is not known before."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._scratch = bytearray()

    @property
    def patchable(self) -> bool:
        return True

    def tell(self) -> int:
        return len(self.data)

    def room(self, size: int) -> memoryview:
        if len(self._scratch) < size:
            self._scratch = bytearray(size)
        return memoryview(self._scratch)[:size]

    def advance(self, used: int) -> None:
        self.data += memoryview(self._scratch)[:used]

    def write(self, data: Buffer) -> None:
        self.data += data

    def patch(self, offset: int, data: Buffer) -> None:
        self.data[offset : offset + len(data)] = data

    def output(self) -> Reader:
        """What was output so far."""
        return MemoryReader(self.data)

    def wipe(self) -> None:
        """Overwrite all that was output."""
        self.data[:] = bytes(len(self.data))
        self._scratch[:] = bytes(len(self._scratch))


class ComparingSink:
    """A sink that keeps nothing and compares all it is given with what a reader has."""

    patchable = False

    def __init__(self, expected: Reader) -> None:
        self._expected = expected
        self._position = 0
        self._scratch = bytearray()

    def tell(self) -> int:
        return self._position

    def room(self, size: int) -> memoryview:
        if len(self._scratch) != size:
            self._scratch = bytearray(size)
        return memoryview(self._scratch)

    def advance(self, used: int) -> None:
        # a bytearray compares with memcmp, a memoryview element by element
        given = self._scratch if used == len(self._scratch) else self._scratch[:used]
        self._compare(given)

    def write(self, data: Buffer) -> None:
        self._compare(bytearray(data))

    def _compare(self, given: bytearray) -> None:
        left = self._expected.size - self._position
        if len(given) > left or given != self._expected.view(self._position, len(given)):
            raise IntegrityError(
                "what was sealed does not open to the same bytes; nothing was written",
                hint="report it: a cipher, source or carrier is broken, or the source changed",
            )
        self._position += len(given)

    def patch(self, offset: int, data: Buffer) -> None:
        raise OutputError("a comparison cannot be patched")

    def finish(self) -> None:
        """Raises IntegrityError if bytes are missing."""
        if self._position != self._expected.size:
            raise IntegrityError(
                f"what was sealed opens to {self._position} bytes of {self._expected.size}"
            )


class CountingSink:
    """A sink that keeps nothing, to learn a size."""

    patchable = True

    def __init__(self) -> None:
        self._position = 0
        self._scratch = bytearray()

    def tell(self) -> int:
        return self._position

    def room(self, size: int) -> memoryview:
        if len(self._scratch) < size:
            self._scratch = bytearray(size)
        return memoryview(self._scratch)[:size]

    def advance(self, used: int) -> None:
        self._position += used

    def write(self, data: Buffer) -> None:
        self._position += memoryview(data).nbytes

    def patch(self, offset: int, data: Buffer) -> None:
        """Nothing is kept, so nothing changes."""


class FileSink:
    """A sink into a file descriptor, through one scratch buffer."""

    def __init__(self, fd: int, name: str, *, patchable: bool) -> None:
        self._fd = fd
        self._name = name
        self._position = 0
        self._scratch = bytearray()
        self.patchable = patchable

    def tell(self) -> int:
        return self._position

    def room(self, size: int) -> memoryview:
        if len(self._scratch) < size:
            self._scratch = bytearray(size)
        return memoryview(self._scratch)[:size]

    def advance(self, used: int) -> None:
        self.write(memoryview(self._scratch)[:used])

    def write(self, data: Buffer) -> None:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                done += os.write(self._fd, view[done:])
        except OSError as error:
            raise _cannot_write(self._name, error) from error
        self._position += done

    def patch(self, offset: int, data: Buffer) -> None:
        try:
            if os.pwrite(self._fd, data, offset) != len(data):
                raise OutputError(f"cannot write {self._name}: short write")
        except OSError as error:
            raise _cannot_write(self._name, error) from error

    def output(self) -> Reader:
        """What was output so far; only from a file that may be read."""
        return FileReader(self._fd, self._name)

    def wipe(self) -> None:
        """Overwrite the scratch buffer; what is on disk is the caller's to discard."""
        self._scratch[:] = bytes(len(self._scratch))


class StreamSink(FileSink):
    """A sink into a binary file object, front to back only."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(-1, "the output stream", patchable=False)
        self._file = file

    def write(self, data: Buffer) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise _cannot_write(self._name, error) from error
        self._position += memoryview(data).nbytes


def _cannot_write(name: str, error: OSError) -> OutputError:
    hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return OutputError(f"cannot write {name}: {error.strerror}", hint=hint)


class PendingFile:
    """An output file that does not exist under its name until `commit`.

    Without a name in the folder at all where the system can do that (O_TMPFILE), so that
    nothing is left behind even by a kill; else under a random name, removed by `discard`.
    """

    def __init__(self, path: Path, *, force: bool = False, mode: int = 0o666) -> None:
        self.path = path
        self._force = force
        self._temporary: Path | None = None
        if not force and os.path.lexists(path):
            raise self._exists()
        try:
            self.fd = self._open(mode)
        except OSError as error:
            raise _cannot_write(str(path), error) from error

    def _exists(self) -> OutputExists:
        return OutputExists(f"{self.path} exists", hint="give --force, or another name")

    def _open(self, mode: int) -> int:
        folder = self.path.parent
        if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                return os.open(folder, os.O_TMPFILE | os.O_RDWR, mode)
        self._temporary = folder / f".{self.path.name[:100]}.{secrets.token_hex(8)}.part"
        return os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def sink(self) -> FileSink:
        return FileSink(self.fd, str(self.path), patchable=True)

    def commit(self) -> None:
        """Make it durable and give it its name, in one step that cannot be seen half done."""
        try:
            os.fsync(self.fd)
            self._name()
            self._sync_folder()
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            raise _cannot_write(str(self.path), error) from error
        finally:
            self.discard()

    def _name(self) -> None:
        if self._temporary is None and not self._force:
            self._link(self.path)
            return
        if self._temporary is None:
            self._temporary = self.path.parent / f".{secrets.token_hex(12)}.part"
            self._link(self._temporary)
        if self._force:
            os.replace(self._temporary, self.path)
            self._temporary = None
            return
        try:
            os.link(self._temporary, self.path)
        except PermissionError:  # a file system without hard links
            if os.path.lexists(self.path):
                raise self._exists() from None
            os.replace(self._temporary, self.path)
            self._temporary = None

    def _link(self, path: Path) -> None:
        # Without a directory descriptor Python may call link(), which follows no link.
        source = f"/proc/self/fd/{self.fd}"
        os.link(source, path, src_dir_fd=self.fd, follow_symlinks=True)

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Close it, and remove whatever name it had before `commit`."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._temporary = None


@contextlib.contextmanager
def spooling(size: int) -> Iterator[GrowingSink | FileSink]:
    """A patchable sink for ciphertext on its way to a sink that is not: in memory when `size`
    bytes are few, else in a file without a name."""
    if size <= SPOOL_IN_MEMORY:
        yield GrowingSink()
        return
    with tempfile.TemporaryFile() as file:
        yield FileSink(file.fileno(), "the temporary file", patchable=True)


def writing(
    target: Writable, *, force: bool = False, mode: int = 0o666
) -> AbstractContextManager[Any]:
    """A sink into `target`, which changes only if the block ends without an exception.

    A path appears whole or not at all; a buffer is wiped on failure; a stream cannot be
    called back, so what was written to it stays.

    Raises:
        OutputExists: a path exists and `force` is false.
        OutputError: it cannot be written.
    """
    if isinstance(target, (bytearray, memoryview)):
        return MemorySink(target)
    if isinstance(target, (str, os.PathLike)):
        return _writing_path(Path(target), force, mode)
    return nullcontext(StreamSink(target))


@contextlib.contextmanager
def _writing_path(path: Path, force: bool, mode: int) -> Iterator[FileSink]:
    pending = PendingFile(path, force=force, mode=mode)
    sink = pending.sink()
    try:
        yield sink
        pending.commit()
    finally:
        sink.wipe()
        pending.discard()


__all__ = [
    "ComparingSink",
    "CountingSink",
    "FileReader",
    "FileSink",
    "GrowingSink",
    "JoinedReader",
    "MemoryReader",
    "MemorySink",
    "PendingFile",
    "Readable",
    "StreamSink",
    "Writable",
    "copy",
    "reading",
    "spooling",
    "writing",
]
