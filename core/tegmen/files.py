"""Reading and writing: a path, bytes, a buffer or a file; outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

from tegmen.buffers import Larger, fresh
from tegmen.errors import InputError, OutputError
from tegmen.interfaces import Buffer, Reader
from tegmen.pending import PendingFile, status
from tegmen.readers import FileReader, JoinedReader, MemoryReader, check_unchanged, copy, origin
from tegmen.sinks import (
    ComparingSink,
    CountingSink,
    FileSink,
    GrowingSink,
    MemorySink,
    StreamSink,
)

Readable = str | os.PathLike[str] | Buffer | IO[bytes] | Reader
"""What can be sealed or opened: a path, bytes, a binary file, or a reader of one's own.

Bytes are whatever has the buffer interface, contiguous: an array, a map of memory too.
"""

Writable = str | os.PathLike[str] | bytearray | memoryview | IO[bytes]
"""Where output can go: a path, a writable buffer (an array too), or a binary file."""

SPOOL_IN_MEMORY = 1 << 24


def reading(source: Readable, larger: Larger = fresh) -> AbstractContextManager[tuple[Reader, str]]:
    """A reader over `source`, and its base name (empty when it has none), for a `with` block.

    A binary file is read from its position to its end.

    Args:
        larger: where the reader of a path gets its buffer; no view outlives the lending.

    Raises:
        InputError: there is no such file, it cannot be read, or `source` is nothing to read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return nullcontext((MemoryReader(source), ""))
    if isinstance(source, (str, os.PathLike)):
        return _reading_path(os.fsdecode(source), larger)
    return nullcontext((_reader(source), ""))


@contextlib.contextmanager
def _reading_path(path: str, larger: Larger) -> Iterator[tuple[Reader, str]]:
    # a FIFO that nobody writes to would block here, before it can be refused
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        fd = os.open(path, flags)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"cannot read {path!r}: {error}") from error
    try:
        yield FileReader(fd, path, larger), os.path.basename(path)
    finally:
        os.close(fd)


def _reader(source: Any) -> Reader:
    if _is_buffer(source):  # an array also has a size and a view
        return MemoryReader(source)
    if isinstance(source, Reader) and isinstance(source.size, int):
        return source
    if not callable(getattr(source, "read", None)):
        raise InputError(
            f"cannot read from {type(source).__name__}", hint="give a path, bytes or a binary file"
        )
    return _real_file(source) or MemoryReader(b"".join(_pieces(source)))


def _is_buffer(source: Any) -> bool:
    try:
        memoryview(source)
    except TypeError:
        return False
    except (ValueError, BufferError):  # closed, or of a type that no bytes can show
        return True
    return True


def _real_file(file: Any) -> FileReader | None:
    """A reader where the file lies; None if its bytes are not those of a file from the start."""
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    if type(raw) is not io.FileIO:  # anything else may decompress, or count, what it reads
        return None
    try:
        if file.seekable() and file.tell() == 0 and stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
            return FileReader(raw.fileno(), "the input file")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the input file: {error}") from error
    return None


def _pieces(file: Any) -> Iterator[bytes]:
    kind = type(file).__name__
    while True:
        try:
            piece = file.read()
        except Exception as error:  # each kind of file has errors of its own
            what = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read the input file, a {kind}: {what}") from error
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            raise InputError(
                f"cannot read the input file: {kind} gave {type(piece).__name__}, not bytes",
                hint="open it as binary, and so that reading blocks",
            )
        if piece:
            yield bytes(piece)
        if not piece or isinstance(file, io.BufferedIOBase):  # which reads to the end at once
            return


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
    target: Writable,
    *,
    force: bool = False,
    mode: int = 0o666,
    source: Reader | None = None,
    larger: Larger = fresh,
) -> AbstractContextManager[Any]:
    """A sink into `target`, which changes only if the block ends without an exception.

    A path appears whole or not at all; a buffer is wiped on failure; a stream cannot be
    called back, so what was written to it stays.

    Args:
        force: replace a path; see `PendingFile`.
        mode: of a path, before the umask.
        source: what will be read meanwhile, and must not be written over.
        larger: where the sink into a path gets its buffer.

    Raises:
        OutputExists: a path exists and `force` is false.
        OutputError: it cannot be written, is nothing to write to, or is itself the source.
    """
    source = source if source is None else origin(source)
    if isinstance(target, (str, os.PathLike)):
        return _writing_path(Path(os.fsdecode(target)), force, mode, source, larger)
    if isinstance(target, (bytearray, memoryview)) or _is_buffer(target):
        return _writing_buffer(target, source)
    sink = StreamSink(target)
    if isinstance(source, FileReader):
        _refuse_source(source, _stream_status(target), "the output stream")
    return sink


def _writing_buffer(target: Any, source: Reader | None) -> MemorySink:
    sink = MemorySink(target)
    if isinstance(source, MemoryReader) and source.overlaps(memoryview(target)):
        raise OutputError(
            "the target buffer and the source share memory", hint="use another buffer"
        )
    return sink


@contextlib.contextmanager
def _writing_path(
    path: Path, force: bool, mode: int, source: Reader | None, larger: Larger
) -> Iterator[FileSink]:
    if force and isinstance(source, FileReader):
        _refuse_source(source, status(path), str(path))
    pending = PendingFile(path, force=force, mode=mode)
    sink = pending.sink(larger)
    try:
        yield sink
        pending.commit()
    except BaseException:
        sink.wipe()
        raise
    finally:
        pending.discard()


def _stream_status(file: Any) -> os.stat_result | None:
    try:
        return os.fstat(file.fileno())
    except (OSError, ValueError, AttributeError, TypeError):  # no file lies below it
        return None


def _refuse_source(source: FileReader, found: os.stat_result | None, name: str) -> None:
    if found is not None and source.is_file(found):
        raise OutputError(
            f"{name} is itself the source", hint="sources are never replaced; name another output"
        )


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
    "check_unchanged",
    "copy",
    "reading",
    "spooling",
    "writing",
]
