"""Files that only their owner may read or write, and folders that no one else may change."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from pathlib import Path

from tegmen.errors import AccessDenied, InsecureConfig, KeyStoreError, StoreUnavailable, TegmenError


def read_private(path: Path, what: str, limit: int) -> tuple[os.stat_result, bytearray]:
    """The status and the bytes of `path`, at most `limit + 1` of them.

    The file that is checked is the file that is read: it is opened first, and a symbolic
    link, which could be swapped between the two, is not followed.

    Args:
        what: names the file's role in messages.
        limit: bytes; more than these tell the caller that the file is too long.

    Raises:
        InsecureConfig: a link, or others may read or write the file or write its folder.
        AccessDenied, StoreUnavailable: it cannot be read.
    """
    check_folder(path.parent)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _cannot_open(path, what, error) from error
    try:
        status = os.fstat(fd)
        _check_file(path, what, status)
        return status, _read(fd, min(status.st_size, limit + 1))
    except OSError as error:
        raise unavailable(path, what, error) from error
    finally:
        os.close(fd)


def _read(fd: int, size: int) -> bytearray:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size and (count := os.readv(fd, [view[done:]])):
        done += count
    view.release()
    del data[done:]
    return data


def wipe(secret: bytearray) -> None:
    """Overwrite `secret` with zeros."""
    secret[:] = bytes(len(secret))


def check_folder(folder: Path) -> None:
    """Refuse a folder in which others could replace files.

    Raises:
        InsecureConfig: others may write it, or another user owns it.
        AccessDenied, StoreUnavailable: it is missing, out of reach, or no folder.
    """
    try:
        status = os.stat(folder)
    except OSError as error:
        raise unavailable(folder, "folder", error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise StoreUnavailable(f"{folder} is not a folder", hint="correct the path")
    if status.st_mode & 0o022:
        raise InsecureConfig(
            f"the folder {folder} may be written by others (mode {status.st_mode & 0o7777:04o})",
            hint=f"run: chmod go-w {shlex.quote(str(folder))}",
        )
    _check_owner(folder, "folder", status, also_root=True)


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make `folder` if it is missing. Raises AccessDenied or StoreUnavailable."""
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise unavailable(folder, "folder", error) from error


def unavailable(path: Path, what: str, error: OSError) -> KeyStoreError:
    """What to raise when the system refuses `path`."""
    if isinstance(error, PermissionError):
        return AccessDenied(
            f"no permission for {what} {path}", hint="run tegmen as the user who owns it"
        )
    return StoreUnavailable(
        f"{what} {path}: {error.strerror}", hint="correct the path, or mount its disk"
    )


def _cannot_open(path: Path, what: str, error: OSError) -> TegmenError:
    if error.errno == errno.ELOOP:
        return InsecureConfig(
            f"{what} {path} is a symbolic link", hint="name the file that it points to"
        )
    if isinstance(error, FileNotFoundError):
        return StoreUnavailable(
            f"{what} {path} is missing",
            hint="correct the path, or mount its disk; a lost file comes back only from a copy",
        )
    return unavailable(path, what, error)


def _check_file(path: Path, what: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InsecureConfig(f"{what} {path} is not a regular file", hint="name a regular file")
    if status.st_mode & 0o077:
        raise InsecureConfig(
            f"{what} {path} is open to others (mode {status.st_mode & 0o7777:04o})",
            hint=f"run: chmod 600 {shlex.quote(str(path))}"
            " (a medium that keeps no modes: mount it with umask=077)",
        )
    _check_owner(path, what, status, also_root=False)


def _check_owner(path: Path, what: str, status: os.stat_result, *, also_root: bool) -> None:
    user = os.geteuid()
    if status.st_uid == user or (also_root and status.st_uid == 0):
        return
    raise InsecureConfig(
        f"{what} {path} belongs to user {status.st_uid}, not to user {user} who runs this",
        hint=f"run tegmen as user {status.st_uid}, or: chown {user} {shlex.quote(str(path))}",
    )
