"""Shows what was measured: a table with its footnotes, or JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from attrs import frozen
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.lines import Line, Row

PROGRAMS = ("tegmen", "cryptography", "tink", "pydicom")
WIDTH = 140
"""Characters, where the output is not a terminal."""


@frozen
class Result:
    """What a row gave.

    Attributes:
        lines: none if it could not be measured.
        reason: why not; empty if it was.
        failed: whether that is a fault, and not something that is missing.
    """

    row: Row
    lines: Sequence[Line]
    reason: str = ""
    failed: bool = False


@frozen
class Run:
    """One run of the whole, or of some rows.

    Attributes:
        quick: inputs were small and turns few, so targets are not judged.
        on_ram_disk: whether files were in memory.
    """

    results: Sequence[Result]
    quick: bool
    on_ram_disk: bool

    def met(self, line: Line) -> bool | None:
        """Whether the line meets its target; None if there is none, or nothing is judged."""
        return None if self.quick else line.met

    def show(self) -> None:
        """Print the table, and under it what each row includes."""
        console = Console()
        if not console.is_terminal:
            console.width = WIDTH
        console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
        if self.quick:
            console.print("Quick: small inputs and few turns; targets are not judged.")
        if not self.on_ram_disk:
            console.print("There is no RAM disk here: files are on a disk.")
        notes = list(dict.fromkeys(result.row.about for result in self.results))
        console.print(self._table(notes))
        for number, note in enumerate(notes, 1):
            console.print(f"[{number}] {note}", markup=False, highlight=False)
        judged = [self.met(line) for result in self.results for line in result.lines]
        console.print(f"{judged.count(True)} of {len(judged) - judged.count(None)} targets met.")

    def _table(self, notes: Sequence[str]) -> Table:
        table = Table("row", caption="Medians over turns; speed: over pairs of turns.")
        table.add_column("what", overflow="fold")
        for heading in ("tegmen", "peer", "speed beside it", "target", "met"):
            table.add_column(heading, justify="right", no_wrap=True)
        for result in self.results:
            name = f"{result.row.name} \\[{notes.index(result.row.about) + 1}]"
            for line in result.lines:
                table.add_row(name, *_cells(line), _WORDS[self.met(line)])
                name = ""
            if result.reason:
                word = "failed" if result.failed else "not measured"
                table.add_row(name, escape(f"{word}: {result.reason}"))
            table.add_section()
        return table

    def as_json(self) -> str:
        """The same, with best turns and the number of turns."""
        document = {
            "machine": machine(),
            "quick": self.quick,
            "on_ram_disk": self.on_ram_disk,
            "rows": [self._row(result) for result in self.results],
        }
        return json.dumps(document, indent=2)

    def _row(self, result: Result) -> Mapping[str, object]:
        lines = [line.as_json() | {"met": self.met(line)} for line in result.lines]
        found: dict[str, object] = {"row": result.row.name, "about": result.row.about}
        if result.reason:
            return found | {"failed": result.failed, "reason": result.reason}
        return found | {"lines": lines}


_WORDS = {True: "[green]yes[/]", False: "[red]NO[/]", None: ""}


def _cells(line: Line) -> tuple[str, ...]:
    peer = line.peer
    if line.peer_figure is not None:
        peer += f" {_number(line.peer_figure)} {line.unit}"
    ratio = "" if line.ratio is None else f"{_number(line.ratio)} x"
    return line.what, f"{_number(line.figure)} {line.unit}", peer, ratio, _target(line)


def _target(line: Line) -> str:
    if line.target is None:
        return ""
    limit = _number(line.target.limit)
    return f"<= {limit} {line.unit}" if line.target.of == "figure" else f">= {limit} x"


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    digits = next((d for d, limit in enumerate((100, 10, 1, 0.1)) if abs(value) >= limit), 4)
    return f"{value:.{digits}f}"


def machine() -> Mapping[str, str]:
    """What the figures depend on."""
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
    }
    return found | {name: _version(name) for name in PROGRAMS}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
