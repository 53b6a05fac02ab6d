"""Memory that is used again: to get a fresh megabyte costs more than to encrypt it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

Larger = Callable[[bytearray, int], bytearray]
"""Takes back a buffer, whose views end with it, for one of at least so many bytes."""


def fresh(_: bytearray, size: int) -> bytearray:
    """A new buffer (a `Larger` for who has no pool)."""
    return bytearray(size)


class Buffers:
    """A few buffers, each lent to one user at a time, and zeros whenever nobody has them.

    Safe to use from several threads.
    """

    _MOST = 8
    _LARGEST = 4 << 20  # bytes of a buffer that is kept
    _UNIT = 64 << 10  # sizes are multiples of it, so that a buffer also fits what is similar

    def __init__(self) -> None:
        self._free: list[bytearray] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self) -> Iterator[Larger]:
        """Lends buffers for the `with` block, at whose end all are wiped and taken back.

        Whoever took one must not outlive the block.
        """
        held: dict[int, bytearray] = {}

        def larger(old: bytearray, size: int) -> bytearray:
            if held.pop(id(old), None) is not None:
                self._give(old)
            buffer = self._take(size)
            held[id(buffer)] = buffer
            return buffer

        try:
            yield larger
        finally:
            for buffer in held.values():
                self._give(buffer)

    def _take(self, size: int) -> bytearray:
        with self._lock:
            fitting = [at for at, buffer in enumerate(self._free) if len(buffer) >= size]
            if fitting:
                return self._free.pop(min(fitting, key=lambda at: len(self._free[at])))
        units = -(-size // self._UNIT)
        return bytearray(max(units, 1) * self._UNIT)

    def _give(self, buffer: bytearray) -> None:
        wipe(buffer)
        if len(buffer) > self._LARGEST:
            return
        with self._lock:
            self._free.append(buffer)
            if len(self._free) > self._MOST:
                del self._free[0]


_ZEROS = memoryview(bytes(64 << 10))


def wipe(buffer: bytearray | memoryview) -> None:
    """Overwrite all of `buffer` with zeros, in place: a megabyte of fresh zeros is slow to get."""
    view, step = memoryview(buffer), len(_ZEROS)
    for start in range(0, len(view), step):
        piece = view[start : start + step]
        piece[:] = _ZEROS[: len(piece)]
