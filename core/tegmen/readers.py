"""Readers: bytes in memory, in a file, or in stretches of other readers, by offset."""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections.abc import Sequence

from tegmen.buffers import Larger, fresh
from tegmen.errors import InputError
from tegmen.interfaces import Buffer, Reader, Sink

COPY_CHUNK = 1 << 20


def _short(offset: int, length: int, size: int) -> InputError:
    return InputError(
        f"input ends early: {length} bytes wanted at offset {offset}, it has {size}",
        hint="the file is cut or still being written; fetch it again",
    )


class MemoryReader:
    """A reader over bytes in memory; its views copy nothing."""

    __slots__ = ("_view", "size")

    def __init__(self, data: Buffer) -> None:
        """Raises InputError: `data` is no contiguous buffer of plain values."""
        try:
            self._view = flat(data)
        except (TypeError, ValueError, BufferError) as error:
            raise InputError(
                f"cannot read from {type(data).__name__}: {error}",
                hint="pass bytes, or a contiguous buffer",
            ) from error
        self.size = len(self._view)

    def view(self, offset: int, length: int) -> memoryview:
        view = self._view[offset : offset + length]
        if len(view) != length or offset < 0:
            raise _short(offset, length, self.size)
        return view

    def overlaps(self, target: memoryview) -> bool:
        """Whether writing to `target` would change what is read here."""
        ours, theirs = self._view.obj, target.obj
        if ours is not theirs and type(ours) in _OWNERS and type(theirs) in _OWNERS:
            return False
        from tegmen.overlap import overlap

        return overlap(self._view, target)


_OWNERS = frozenset({bytes, bytearray})  # each object of these types has memory of its own


def flat(data: Buffer) -> memoryview:
    """`data` as single bytes, not copied.

    Raises:
        TypeError, ValueError, BufferError: it is no contiguous buffer of plain values.
    """
    view = memoryview(data)
    if view.format == "B" and view.ndim == 1 and view.c_contiguous:
        return view
    if "O" in view.format:
        raise TypeError("it holds Python objects")
    return view.cast("B") if view.nbytes else memoryview(b"")


class FileReader:
    """A reader over an open file descriptor; one buffer, reused by every view."""

    __slots__ = ("_buffer", "_fd", "_larger", "_status", "name", "size")

    def __init__(self, fd: int, name: str, larger: Larger = fresh) -> None:
        self._fd = fd
        self._larger = larger
        self._buffer = bytearray(0)
        self.name = name
        self._status = os.fstat(fd)
        if not stat.S_ISREG(self._status.st_mode):
            raise InputError(f"{name} is not a regular file", hint="name a file, or - for stdin")
        self.size = self._status.st_size

    def view(self, offset: int, length: int) -> memoryview:
        if offset + length > self.size or offset < 0 or length < 0:
            raise _short(offset, length, self.size)
        if len(self._buffer) < length:
            self._buffer = self._larger(self._buffer, length)
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

    def is_file(self, status: os.stat_result) -> bool:
        """Whether that is the status of the file that is read here, under whatever name."""
        return os.path.samestat(self._status, status)

    def check_unchanged(self) -> None:
        """Raises InputError: the file was written to since it was opened."""
        now, then = os.fstat(self._fd), self._status
        if now.st_size != then.st_size or now.st_mtime_ns != then.st_mtime_ns:
            raise InputError(
                f"{self.name} changed while it was read", hint="wait until nothing writes to it"
            )


def origin(reader: Reader) -> Reader:
    """The reader that `reader` passes on, where it has one as `origin`; else itself."""
    found: Reader = getattr(reader, "origin", reader)
    return found


def check_unchanged(reader: Reader) -> None:
    """Raises InputError: `reader` is over a file that was written to since it was opened."""
    reader = origin(reader)
    if isinstance(reader, FileReader):
        reader.check_unchanged()


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
