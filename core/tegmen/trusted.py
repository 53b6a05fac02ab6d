"""Reads a configuration only if nobody but its owner can have written it."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import Final

from tegmen.errors import ConfigError, InsecureConfig

MAX_CONFIG: Final = 1 << 20
OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def read_trusted(path: Path) -> str:
    """The text of a configuration file.

    Raises:
        InsecureConfig: the group or others may write the file, or its folder.
        ConfigError: there is none, it cannot be read, or it is not UTF-8.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            _check_file(path, status)
            for folder in {path.parent, path.resolve().parent}:
                _check_folder(folder, path, status)
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
    if status.st_mode & OTHERS_MAY_WRITE:
        raise _insecure(path, status)


def _check_folder(folder: Path, path: Path, file: os.stat_result) -> None:
    status = folder.stat()
    if not status.st_mode & OTHERS_MAY_WRITE:
        return
    if not status.st_mode & stat.S_ISVTX:
        raise _insecure(folder, status)
    if file.st_uid not in (0, os.geteuid()):  # in /tmp anyone may have put it there
        raise InsecureConfig(
            f"{path} belongs to another user (uid {file.st_uid}) in a folder that all may write",
            hint="keep the configuration in a folder of your own",
        )


def _insecure(path: Path, status: os.stat_result) -> InsecureConfig:
    mode = stat.S_IMODE(status.st_mode)
    return InsecureConfig(
        f"{path} may be written by others (mode {mode:04o})",
        hint=f"run: chmod go-w {shlex.quote(str(path))}",
    )
