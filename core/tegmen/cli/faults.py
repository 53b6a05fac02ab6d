"""From an exception to what people read, what programs read, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import click
from attrs import frozen

from tegmen.cli.screen import document, plain_lines
from tegmen.errors import TegmenError

FILE = 3
INTERRUPTED = 130
SOME_FAILED = 6


@frozen
class Fault:
    """What went wrong, without the exception: it can cross to another process.

    Attributes:
        code: name of the error's class.
        message: what failed.
        hint: what to do next.
        exit_code: of a program that ends with it.
        trace: where it came from; empty for errors that are foreseen.
    """

    code: str
    message: str
    hint: str
    exit_code: int
    trace: str = ""

    @property
    def as_json(self) -> dict[str, str]:
        """The value of `error` in a document."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


def fault_of(error: BaseException) -> Fault:
    """What to say of `error`."""
    kind = type(error).__name__
    trace = _trace(error)
    if isinstance(error, TegmenError):
        message = "; ".join((str(error), *getattr(error, "__notes__", ())))
        return Fault(kind, message, error.hint, error.exit_code, trace)
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return Fault("Interrupted", "interrupted; no file was left half-written", "", INTERRUPTED)
    if isinstance(error, click.ClickException):
        return Fault(kind, error.format_message(), _usage(error), error.exit_code)
    if isinstance(error, OSError):  # of a closed or full standard output, for instance
        return Fault(kind, f"the system refused: {error.strerror}", "", FILE, trace)
    # Its own text may hold anything, also of a patient.
    hint = "run it again with --debug, and report what it prints"
    return Fault(kind, f"tegmen failed in a way nobody foresaw: {kind}", hint, 1, trace)


def _usage(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    return "" if ctx is None else f"{ctx.command_path} --help"


def _trace(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


def report(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong, the way the arguments ask for, and return the exit code."""
    fault = fault_of(error)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return fault.exit_code
    if "--debug" in arguments and fault.trace:
        click.echo(fault.trace, err=True, nl=False)
    show(fault, json="--json" in arguments)
    return fault.exit_code


def show(fault: Fault, *, json: bool) -> None:
    """One failure: words to standard error, and a document to standard output if asked for."""
    click.echo(f"error: {plain_lines(str(fault))}", err=True)
    if json:
        with suppress(OSError):  # it may be standard output that failed
            click.echo(document({"error": fault.as_json}))
