"""The folder of a store: its file read whole, replaced in one step, written by one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tegmen.errors import OutputError, StoreUnavailable
from tegmen.files import writing
from tegmen.private import check_folder, read_private, unavailable
from tegmen_file.document import MAX_SIZE

Stamp = tuple[int, int, int, int]
"""Changes whenever the file does: inode, size, times of modification and of status change."""


class StoreFolder:
    """Where a store lives.

    Args:
        path: the folder.
        lock_timeout: seconds that a writer waits for another one.
    """

    def __init__(self, path: Path, lock_timeout: float) -> None:
        self.path = path
        self.file = path / "keystore.json"
        self._name = str(self.file)
        self._lock_timeout = lock_timeout

    def stamp(self) -> Stamp:
        """Tells cheaply whether the file is still the one that was read."""
        try:
            return _stamp(os.lstat(self._name))
        except OSError as error:
            raise self._missing(error) from error

    def _missing(self, error: OSError) -> Exception:
        if not isinstance(error, FileNotFoundError):
            return unavailable(self.file, "key store", error)
        return StoreUnavailable(
            f"there is no key store in {self.path}",
            hint="`tegmen init` makes one; or correct its path in the configuration",
        )

    def read(self) -> tuple[Stamp, bytes]:
        """The whole file. Raises as `tegmen.private.read_private`."""
        self.stamp()
        status, data = read_private(self.file, "key store", MAX_SIZE)
        return _stamp(status), bytes(data)

    def exists(self) -> bool:
        """Whether there is a store, readable or not."""
        return os.path.lexists(self.file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """For one writer at a time, over threads and processes.

        Raises:
            StoreUnavailable: another one holds it for too long.
            InsecureConfig, AccessDenied: the folder is not fit to be written.
        """
        check_folder(self.path)
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "keystore.lock", timeout=self._lock_timeout, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise StoreUnavailable(
                f"another process is writing the key store {self.path}",
                hint="try again when it has ended",
            ) from None
        except OSError as error:
            raise unavailable(self.path, "key store", error) from error
        try:
            yield
        finally:
            lock.release()

    def write(self, data: bytes) -> None:
        """Replace the file, durably; a failure leaves the old one. Only under `locked`."""
        try:
            self._remove_leftovers()
            with writing(self.file, force=True, mode=0o600) as sink:
                sink.write(data)
        except OutputError as error:
            raise StoreUnavailable(
                f"the key store was not changed: {error}",
                hint=error.hint or "make its folder writable for the user who runs tegmen",
            ) from error
        except OSError as error:
            raise unavailable(self.path, "key store", error) from error

    def _remove_leftovers(self) -> None:
        # A writer that was killed may have left keys that were destroyed since.
        for leftover in self.path.glob(".*.part"):
            leftover.unlink(missing_ok=True)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
