"""What the demo says, in words for people who decide and do not program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from attrs import frozen

from tegmen.cli.demo.story import Refusal, Restored, Sealed
from tegmen.cli.screen import console, plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH: Final = 96
CALM: Final = "cyan"
NUMBERS: Final = frozenset(("before", "after", "took", "exit code"))


@frozen
class Narrator:
    """Tells the demo on standard output; says nothing if it is to be quiet."""

    quiet: bool

    def begin(self, count: int) -> None:
        """The title."""
        images = "a file" if count == 1 else f"{count} files"
        self._say(f"[bold]tegmen[/]: {images} sealed, shown, restored and attacked")

    def made(self, seconds: float) -> None:
        """Configuration and keys are there."""
        self._step(1, "Configuration and keys", seconds)
        self._say("   A key store for every day, and a recovery key that would go into a safe.")

    def sealed(self, sealed: Sequence[Sealed]) -> None:
        """Every sample was sealed."""
        self._step(2, "Sealed; rules chose the profile of each", _total(sealed))
        table = self._table("file", "rule", "profile", "before", "after", "took")
        for one in sealed:
            table.add_row(
                "",
                plain(one.sample.name),
                one.receipt.rule,
                one.receipt.profile,
                _size(one.receipt.size),
                _size(one.receipt.sealed_size),
                _milliseconds(one.seconds),
            )
        self._show(table)

    def drawn(self, path: str, seconds: float) -> None:
        """The picture is there."""
        self._step(3, "What others see: noise, and nobody's name", seconds)
        self._say(f"   [{CALM}]{_escaped(path)}[/]")

    def restored(self, restored: Sequence[Restored]) -> None:
        """Every sample was opened."""
        self._step(4, "Restored, bit for bit", _total(restored))
        self._show(self._digests(restored))

    def recovered(self, restored: Restored) -> None:
        """One sample was opened although the daily keys were gone."""
        self._step(
            5, "The daily keys are lost; the recovery key opens all the same", restored.seconds
        )
        self._show(self._digests([restored]))

    def attacked(self, refusals: Sequence[Refusal]) -> None:
        """Everything that must fail did."""
        self._step(6, "Refused, and nothing was written", _total(refusals))
        table = self._table("tried", "answer", "exit code")
        for one in refusals:
            answer = plain(one.answer) if one.error else f"[bold red]{one.answer}[/]"
            table.add_row("", plain(one.tried), answer, str(one.exit_code))
        self._show(table)

    def end(self, folder: str) -> None:
        """Where everything is."""
        self._say(
            f"\nAll of it is in [{CALM}]{_escaped(folder)}[/]; delete it when you have seen it."
        )
        self._say(
            "Your own: [bold]tegmen demo FILE[/], or begin with [bold]tegmen init my-hospital[/]"
        )

    def _digests(self, restored: Sequence[Restored]) -> Table:
        table = self._table("file", "SHA-256", "restored file", "opened by", "took")
        for one in restored:
            same = "[green]identical[/]" if one.identical else "[bold red]DIFFERENT[/]"
            digest = f"{one.sha256[:16]}..."
            table.add_row("", plain(one.name), digest, same, one.key, _milliseconds(one.seconds))
        return table

    def _step(self, number: int, text: str, seconds: float) -> None:
        self._say(f"\n[bold {CALM}]{number}[/]  [bold]{text}[/]  [dim]{_milliseconds(seconds)}[/]")

    def _table(self, *columns: str) -> Table:
        from rich.table import Table

        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("  ")
        for column in columns:
            number = column in NUMBERS
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        return table

    def _show(self, table: Table) -> None:
        if not self.quiet:
            self._console().print(table)

    def _say(self, text: str) -> None:
        if not self.quiet:
            self._console().print(text)

    def _console(self) -> Console:
        return console(stderr=False, markup=True, width=WIDTH)


def _escaped(path: str) -> str:
    from rich.markup import escape

    return escape(plain(path))


def _total(timed: Sequence[Sealed] | Sequence[Restored] | Sequence[Refusal]) -> float:
    return sum(one.seconds for one in timed)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


def _size(count: int) -> str:
    from rich.filesize import decimal

    return decimal(count)
