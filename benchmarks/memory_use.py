"""Rows about memory: a fresh process each, its peak over what it had before the work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import evolve

from benchmarks.bench import Bench, NotMeasured
from benchmarks.files import shown
from benchmarks.lines import Line, Row, at_most, with_peers
from benchmarks.programs import NAMES, peers
from benchmarks.worker import ROOT

PEAK = (
    "Peak resident memory (VmHWM) of a fresh process over what it had once its modules were "
    "imported: configuration, plugins and key store are in tegmen's figure. The file is one hole, "
    "read as zeros; the RAM disk's own pages are not the process's."
)
COPIES = (
    "A fresh process whose source and target buffers, and one small sealed object, are there "
    "already: growth of its peak resident memory, and the peak of Python's allocations as "
    "tracemalloc sees them, while it works once."
)


def peak(bench: Bench) -> Iterable[Line]:
    """tegmen and the peers seal and open one large file."""
    size = bench.size(4 << 30, 16 << 20)
    config = bench.config(verify=False)
    with bench.room(needed=2 * size) as folder:
        with open(folder / "source", "wb") as file:
            file.truncate(size)
        own = _child("peak", "tegmen", config, folder)
        beside = {name: _child("peak", name, config, folder) for name in peers()}
    for verb in ("seal", "open"):
        what = f"{verb} a file of {shown(size)}: peak memory"
        line = Line("peak-memory", what, "MB", own[verb], target=at_most(32))
        lines = [
            evolve(line, peer=NAMES[name], peer_figure=figures[verb])
            for name, figures in beside.items()
        ]
        yield from with_peers(line, lines)


def copies(bench: Bench) -> Iterable[Line]:
    """tegmen alone, twice: as the kernel counts, and as Python does."""
    size = bench.size(64 << 20, 8 << 20)
    figures = _child("copies", bench.config(verify=False), size)
    for measure, figure in figures.items():
        what = f"{size >> 20} MB from buffer to buffer: memory to {measure}"
        yield Line("copies", what, "MB", figure, target=at_most(2))


def _child(*arguments: Any) -> dict[str, float]:
    if not Path("/proc/self/status").exists():
        raise NotMeasured("memory is read from /proc, which is Linux's")
    command = [sys.executable, "-m", "benchmarks.child", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


ROWS = (
    Row("copies", COPIES, copies),
    Row("peak-memory", PEAK, peak),
)
