"""Standard input and output as binary files, which may be closed, full or a terminal."""

from __future__ import annotations

import os
import sys
from typing import IO, Final

from tegmen.errors import InputError, OutputError

STREAM: Final = "-"
"""Standard input or output, where a file could be named."""


def standard_input() -> IO[bytes]:
    """Raises InputError if it is closed."""
    if sys.stdin is None:
        raise InputError("standard input is closed", hint="name a file instead of -")
    return sys.stdin.buffer


def standard_output() -> IO[bytes]:
    """Raises OutputError if it is closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed", hint="name a file after -o")
    return sys.stdout.buffer


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether people are at the other end; a stream that is closed is None."""
    return stream is not None and stream.isatty()


def flush_output() -> None:
    """Hand on what is still held back. Raises OutputError."""
    try:
        standard_output().flush()
    except OSError as error:
        raise OutputError(f"cannot write standard output: {error.strerror}") from error


def finish_output() -> None:
    """Hand on what was printed, unless nobody reads any more. Raises OutputError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        abandon_output()
    except OSError as error:
        raise OutputError(f"cannot write standard output: {error.strerror}") from error


def abandon_output() -> None:
    """Give up what standard output cannot take: Python would try again at its end, and end with
    an exit code of its own."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
