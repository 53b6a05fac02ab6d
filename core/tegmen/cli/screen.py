"""Where output goes: data to standard output, words for people to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from tegmen.cli.streams import is_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def plain(text: object) -> str:
    """`text` without anything that a terminal would obey: control characters are spelled out."""
    shown = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in shown
    )


def document(value: Any) -> str:
    """`value` as JSON in one line; attrs classes become objects, bytes hexadecimal."""
    return json.dumps(value, default=_plain_value)


def _plain_value(value: Any) -> Any:
    import attrs

    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if attrs.has(type(value)):
        return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    return dict(value) if isinstance(value, Mapping) else str(value)


@frozen
class Screen:
    """Both ends of the output; made anew whenever it is needed.

    Attributes:
        json: whether standard output gets JSON instead of text.
        quiet: whether notes are left out.
    """

    json: bool
    quiet: bool

    def note(self, text: str) -> None:
        """Tell people something that no program needs."""
        if not self.quiet:
            click.echo(plain_lines(text), err=True)

    def warn(self, text: str) -> None:
        """Tell people something that they must not miss."""
        click.echo(f"warning: {plain_lines(text)}", err=True)

    def fail(self, text: str) -> None:
        """Tell people that something failed."""
        click.echo(f"error: {plain_lines(text)}", err=True)

    def data(self, text: str) -> None:
        """Output that was asked for."""
        click.echo(plain_lines(text))

    def document(self, value: Any) -> None:
        """Output that was asked for, for a program: one line of JSON."""
        click.echo(document(value))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, heading: bool = True
    ) -> None:
        """Output that was asked for, in columns."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=heading, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(plain, row))
        self.print(table)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Names and values, one a line."""
        self.table(("", ""), facts.items(), heading=False)

    def print(self, table: Table) -> None:
        """A table that is data; where nobody watches, without spaces at the ends of lines."""
        shown = console(stderr=False)
        if shown.is_terminal:
            shown.print(table)
            return
        with shown.capture() as captured:
            shown.print(table)
        for line in captured.get().splitlines():
            click.echo(line.rstrip())


def plain_lines(text: str) -> str:
    """As `plain`, but line ends stay."""
    return "\n".join(map(plain, text.split("\n")))


def console(*, stderr: bool, markup: bool = False, width: int = 10_000) -> Console:
    """A rich console; where nobody watches, it is `width` wide and colours nothing."""
    from rich.console import Console

    file = sys.stderr if stderr else sys.stdout
    columns = None if is_terminal(file) else width
    return Console(file=file, width=columns, markup=markup, highlight=False, emoji=False)
