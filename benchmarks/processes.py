"""Rows that start processes: how soon the command answers, and how well it uses two cores."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench, NotMeasured, ct_slice
from benchmarks.lines import Line, Row, at_most, compare, times_as_fast
from benchmarks.measure import here

SLICES = 2000
CORES = 2

START = (
    "A fresh process from start to end, interpreter included; modules are byte-compiled and in "
    "the page cache. The peer is the interpreter alone."
)
JOBS = (
    f"The command, folder to folder on the RAM disk, start-up included, over {SLICES:,} copies "
    "of a CT slice; the peer is the same command with -j 1."
)


def command() -> str:
    """The installed `tegmen`. Raises NotMeasured."""
    path = shutil.which("tegmen", path=sysconfig.get_path("scripts"))
    if path is None:
        raise NotMeasured("the command tegmen is not installed beside this Python")
    return path


def run(folder: Path, *arguments: str | Path) -> None:
    """Run a command to its end. Raises AssertionError when it fails."""
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}: {done.stderr[-300:]}"


def start(
    bench: Bench, row: str, arguments: Sequence[str], most: float | None = None
) -> Iterable[Line]:
    """A command beside the bare interpreter; both in a folder where nothing can be imported."""
    name, *rest = arguments
    own = (command() if name == "tegmen" else sys.executable, *rest)
    contenders = [
        here("tegmen", lambda: run(bench.home, *own)),
        here("python -c pass", lambda: run(bench.home, sys.executable, "-c", "pass")),
    ]
    target = None if most is None else at_most(most)
    yield from compare(bench, row, " ".join(arguments), "ms", contenders, target)


def jobs(bench: Bench, row: str, verify: bool) -> Iterable[Line]:
    """A folder of slices, sealed by two processes beside one."""
    if (os.cpu_count() or 1) < CORES:
        raise NotMeasured("there is one core only")
    count, data = bench.size(SLICES, 20), ct_slice()
    with bench.room(needed=3 * count * len(data)) as folder:
        source, sealed, opened = (folder / name for name in ("source", "sealed", "opened"))
        source.mkdir()
        for number in range(count):
            (source / f"{number:06}.dcm").write_bytes(data)
        config = bench.config(verify=verify)

        def seal(processes: int) -> None:
            options = ("-c", config, "-q", "-j", str(processes))
            run(folder, command(), "seal", source, "-o", sealed, *options)

        seal(CORES)
        run(folder, command(), "open", sealed, "-o", opened, "-c", config, "-q")
        names = [path.name for path in source.iterdir()]
        same, *_ = filecmp.cmpfiles(source, opened, names, shallow=False)
        assert len(same) == count, f"{count - len(same)} of {count} files came back changed"
        shutil.rmtree(opened)
        shutil.rmtree(sealed)
        clear = partial(shutil.rmtree, sealed)
        sealing = [
            here("tegmen -j 2", lambda: seal(2), clear),
            here("tegmen -j 1", lambda: seal(1), clear),
        ]
        what = f"seal {count:,} CT slices with -j 2" + ", verified after sealing" * verify
        yield from compare(bench, row, what, "s", sealing, times_as_fast(1.8), least=3)


ROWS = (
    Row("help", START, partial(start, row="help", arguments=("tegmen", "--help"), most=150)),
    Row(
        "import",
        START,
        partial(start, row="import", arguments=("python", "-c", "import tegmen"), most=80),
    ),
    Row(
        "import-sealer",
        f"{START} As import, and what an import by itself puts off is loaded too.",
        partial(
            start,
            row="import-sealer",
            arguments=("python", "-c", "from tegmen import Sealer"),
        ),
    ),
    Row("jobs", JOBS, partial(jobs, row="jobs", verify=False)),
    Row("jobs-verified", JOBS, partial(jobs, row="jobs-verified", verify=True)),
)
