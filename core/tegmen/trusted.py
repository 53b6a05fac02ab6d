"""Reads a configuration only if nobody but its owner can have written it."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tegmen.errors import ConfigError, InsecureConfig

MAX_CONFIG: Final = 1 << 20


def read_trusted(path: Path) -> str:
    """The text of a configuration file.

    The file, its folder and all folders above, and those of the file that a link leads to, must
    belong to this user or to root, and nobody else may write them. Accepted are a folder like
    /tmp, where all may write but only an owner may rename (sticky), and what the owner's private
    group may write: a group of the owner's name and of nobody else, as Ubuntu makes for each user.

    Raises:
        InsecureConfig: somebody else could have written the file, or put another in its place.
        ConfigError: there is none, it cannot be read, or it is not UTF-8.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            _check_file(path, os.fstat(file.fileno()))
            for entry in _chain(path):
                _check_entry(entry)
            return file.read(MAX_CONFIG + 1).decode()
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist", hint=_INIT) from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: byte {error.start}") from error


_INIT: Final = "make one with `tegmen init`, or name another with -c"


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would wait for its writer


def _check_file(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path} is not a regular file", hint=_INIT)
    if status.st_size > MAX_CONFIG:
        raise ConfigError(f"{path} has {status.st_size} bytes, more than {MAX_CONFIG}")
    _check_owner(path, status)
    if _others_may_write(status):
        raise _insecure(path, status)


def _others_may_write(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_private_group(status)


def _is_private_group(status: os.stat_result) -> bool:
    try:
        user, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    alone = not set(group.gr_mem) - {user.pw_name}
    return user.pw_gid == group.gr_gid and user.pw_name == group.gr_name and alone


def _chain(path: Path) -> Iterator[Path]:
    """The path and the folders above it, as it is spelt and as its links lead, outermost last."""
    spelt, real = path.absolute(), path.resolve()
    yield from dict.fromkeys((spelt, *spelt.parents, *real.parents))


def _check_entry(entry: Path) -> None:
    status = entry.lstat()
    _check_owner(entry, status)
    folder = stat.S_ISDIR(status.st_mode)
    sticky = status.st_mode & stat.S_ISVTX
    if folder and not sticky and _others_may_write(status):
        raise _insecure(entry, status)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise InsecureConfig(
            f"{path} belongs to another user (uid {status.st_uid})",
            hint="keep the configuration in a folder of your own, or of root",
        )


def _insecure(path: Path, status: os.stat_result) -> InsecureConfig:
    mode = stat.S_IMODE(status.st_mode)
    return InsecureConfig(
        f"{path} may be written by others (mode {mode:04o})",
        hint=f"run: chmod go-w {shlex.quote(str(path))}",
    )
