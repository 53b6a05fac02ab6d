"""The command: `python -m benchmarks [--quick] [--only ROW] [--json] [--list]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

import click

from benchmarks import files, images, in_memory, memory_use, processes
from benchmarks.bench import Bench, NotMeasured
from benchmarks.lines import Row
from benchmarks.table import Result, Run

ROWS = (*in_memory.ROWS, *memory_use.ROWS, *files.ROWS, *images.ROWS, *processes.ROWS)


@click.command()
@click.option("--quick", is_flag=True, help="Small inputs, few turns: does everything run?")
@click.option("--only", multiple=True, metavar="ROW", help="A row, or a pattern (part*); repeats.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--list", "list_", is_flag=True, help="Print the names of the rows.")
def main(quick: bool, only: Sequence[str], json_: bool, list_: bool) -> None:
    """Measure tegmen beside its peers and print one table."""
    rows = [row for row in ROWS if not only or any(fnmatchcase(row.name, p) for p in only)]
    if not rows:
        raise click.BadParameter("no row has that name; --list shows them", param_hint="--only")
    if list_:
        click.echo("\n".join(row.name for row in rows))
        return
    with Bench(quick=quick) as bench:
        results = [_measured(row, bench) for row in rows]
        run = Run(results, quick=quick, on_ram_disk=bench.on_ram_disk)
    if json_:
        click.echo(run.as_json())
    else:
        run.show()
    sys.exit(any(result.failed for result in results))


def _measured(row: Row, bench: Bench) -> Result:
    """A row that fails costs its own lines only."""
    click.echo(row.name, err=True)
    try:
        return Result(row, tuple(row.run(bench)))
    except NotMeasured as missing:
        return Result(row, (), str(missing))
    except Exception as error:  # noqa: BLE001  # it is shown, and the exit code tells
        return Result(row, (), f"{type(error).__name__}: {error}", failed=True)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
