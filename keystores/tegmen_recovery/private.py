"""Text files whose content, or whose place, nobody but their owner may touch."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from tegmen.errors import (
    AccessDenied,
    ConfigError,
    InsecureConfig,
    KeyStoreError,
    StoreDamaged,
    StoreUnavailable,
)
from tegmen.trusted import read_trusted


def read_public(path: Path, what: str) -> str:
    """The text of a file that all may read and only its owner may write.

    Args:
        what: names the file's role in messages.

    Raises:
        InsecureConfig: others may write it or its folder.
        AccessDenied, StoreUnavailable, StoreDamaged: it cannot be read, or is no text.
    """
    try:
        return read_trusted(path)
    except InsecureConfig:
        raise
    except ConfigError as error:
        raise _refused(path, what, error) from error


def read_private(path: Path, what: str) -> str:
    """The text of a file that only its owner may read; a symbolic link is refused.

    Only the folder's owner could swap it between the check and the reading, and gains nothing
    by it: a key has to fit its check value, and a passphrase its key.

    Raises:
        InsecureConfig: a link, or others may read or write it, or write its folder.
        AccessDenied, StoreUnavailable, StoreDamaged: as for `read_public`.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        raise unavailable(path, what, error) from error
    _check(path, what, status)
    return read_public(path, what)


def is_missing(path: Path) -> bool:
    """Whether nothing has that name; false when that cannot be told."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _check(path: Path, what: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InsecureConfig(
            f"{what} {path} is a link, or no regular file", hint="name the file itself"
        )
    user = os.geteuid()
    if status.st_uid != user:
        raise InsecureConfig(
            f"{what} {path} belongs to user {status.st_uid}, not to user {user} who runs this",
            hint=f"run tegmen as user {status.st_uid}, or: chown {user} {shlex.quote(str(path))}",
        )
    if status.st_mode & 0o077:
        raise InsecureConfig(
            f"{what} {path} is open to others (mode {status.st_mode & 0o7777:04o})",
            hint=f"run: chmod 600 {shlex.quote(str(path))}"
            " (a medium that keeps no modes: mount it with umask=077)",
        )


def _refused(path: Path, what: str, error: ConfigError) -> KeyStoreError:
    if isinstance(error.__cause__, OSError):
        return unavailable(path, what, error.__cause__)
    return StoreDamaged(f"{what}: {error}", hint="put a copy of the right file in its place")


def unavailable(path: Path, what: str, error: OSError) -> KeyStoreError:
    """What to raise when the system refuses `path`."""
    if isinstance(error, PermissionError):
        return AccessDenied(
            f"no permission for {what} {path}", hint="run tegmen as the user who owns it"
        )
    return StoreUnavailable(
        f"{what} {path}: {error.strerror}", hint="correct the path, or mount its disk"
    )
