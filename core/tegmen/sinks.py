"""Sinks: into memory, a file or a stream, or only to count or compare what is written."""

from __future__ import annotations

import errno
import io
import os
from typing import IO, Self

from tegmen.buffers import Larger, fresh, wipe
from tegmen.errors import IntegrityError, OutputError
from tegmen.interfaces import Buffer, Reader
from tegmen.readers import FileReader, MemoryReader, flat


def cannot_write(name: str, error: Exception) -> OutputError:
    """What to raise when writing `name` failed with `error`."""
    if isinstance(error, io.UnsupportedOperation):
        return OutputError(f"cannot write {name}: it is not writable")
    if not isinstance(error, OSError):
        return OutputError(f"cannot write {name}: {error}")
    hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return OutputError(f"cannot write {name}: {error.strerror or error}", hint=hint)


class MemorySink:
    """A sink over a writable buffer; segments are encrypted straight into it.

    As a context manager it wipes the buffer if the block ends in an exception.
    """

    patchable = True

    def __init__(self, target: bytearray | memoryview) -> None:
        """Raises OutputError: `target` is read-only, or no contiguous buffer of plain values."""
        try:
            self._target = flat(target)
        except (TypeError, ValueError, BufferError) as error:
            raise OutputError(
                f"cannot write to {type(target).__name__}: {error}", hint="pass a bytearray"
            ) from error
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
        wipe(self._target)


class GrowingSink:
    """A sink into memory of its own, for output whose size is not known before.

    As a context manager it wipes what it has if the block ends in an exception.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self._scratch = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is not None:
            self.wipe()

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
        wipe(self.data)
        wipe(self._scratch)


class ComparingSink:
    """A sink that keeps nothing and compares all it is given with what a reader has."""

    patchable = False

    def __init__(self, expected: Reader, larger: Larger = fresh) -> None:
        self._expected = expected
        self._larger = larger
        self._position = 0
        self._scratch = bytearray()

    def tell(self) -> int:
        return self._position

    def room(self, size: int) -> memoryview:
        if len(self._scratch) < size:
            self._scratch = self._larger(self._scratch, size)
        return memoryview(self._scratch)[:size]

    def advance(self, used: int) -> None:
        left = self._expected.size - self._position
        # startswith compares with memcmp, a memoryview element by element
        if used > left or not self._scratch.startswith(self._expected.view(self._position, used)):
            raise IntegrityError(
                "what was sealed does not open to the same bytes; nothing was written",
                hint="report it: a cipher, source or carrier is broken, or the source changed",
            )
        self._position += used

    def write(self, data: Buffer) -> None:
        size = memoryview(data).nbytes
        self.room(size)[:] = data
        self.advance(size)

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

    def __init__(self, larger: Larger = fresh) -> None:
        self._larger = larger
        self._position = 0
        self._scratch = bytearray()

    def tell(self) -> int:
        return self._position

    def room(self, size: int) -> memoryview:
        if len(self._scratch) < size:
            self._scratch = self._larger(self._scratch, size)
        return memoryview(self._scratch)[:size]

    def advance(self, used: int) -> None:
        self._position += used

    def write(self, data: Buffer) -> None:
        self._position += memoryview(data).nbytes

    def patch(self, offset: int, data: Buffer) -> None:
        """Nothing is kept, so nothing changes."""


class FileSink:
    """A sink into a file descriptor, through one scratch buffer."""

    def __init__(self, fd: int, name: str, *, patchable: bool, larger: Larger = fresh) -> None:
        self._fd = fd
        self._larger = larger
        self._name = name
        self._position = 0
        self._scratch = bytearray()
        self.patchable = patchable

    def tell(self) -> int:
        return self._position

    def room(self, size: int) -> memoryview:
        if len(self._scratch) < size:
            self._scratch = self._larger(self._scratch, size)
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
            raise cannot_write(self._name, error) from error
        self._position += done

    def patch(self, offset: int, data: Buffer) -> None:
        try:
            if os.pwrite(self._fd, data, offset) != len(data):
                raise OutputError(f"cannot write {self._name}: short write")
        except OSError as error:
            raise cannot_write(self._name, error) from error

    def output(self) -> Reader:
        """What was output so far; only from a file that may be read."""
        return FileReader(self._fd, self._name, self._larger)

    def wipe(self) -> None:
        """Overwrite the scratch buffer; what is on disk is the caller's to discard."""
        wipe(self._scratch)


class StreamSink(FileSink):
    """A sink into a binary file object, front to back only.

    As a context manager it flushes the file at the end, for that is when a full disk shows.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Raises OutputError: `file` is no binary file that is open."""
        super().__init__(-1, "the output stream", patchable=False)
        reason = _not_writable(file)
        if reason:
            raise OutputError(
                f"cannot write to {type(file).__name__}: {reason}",
                hint="give a path, a bytearray or an open binary file",
            )
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None:
            self._flush()

    def _flush(self) -> None:
        flush = getattr(self._file, "flush", None)
        try:
            if flush is not None:
                flush()
        except (OSError, ValueError) as error:
            raise cannot_write(self._name, error) from error

    def write(self, data: Buffer) -> None:
        left = memoryview(data).cast("B")
        while left:
            count = self._write_some(left)
            left = left[count:]
            self._position += count

    def _write_some(self, data: memoryview) -> int:
        try:
            count = self._file.write(data)
        except (OSError, ValueError, TypeError) as error:
            raise cannot_write(self._name, error) from error
        if not isinstance(count, int) or not 0 < count <= len(data):
            raise OutputError(
                f"cannot write {self._name}: it took {count} of {len(data)} bytes",
                hint="its write() has to block, and to return how many bytes it took",
            )
        return count


def _not_writable(file: object) -> str:
    """Why `file` cannot be written; empty if it seems that it can."""
    if not callable(getattr(file, "write", None)):
        return "it is no file"
    if isinstance(file, io.TextIOBase):
        return "it takes text"
    if getattr(file, "closed", False) is True:
        return "it is closed"
    return ""
