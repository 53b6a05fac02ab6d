"""The process whose memory is measured: `python -m benchmarks.child`; prints MB as JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.in_memory import Job
from benchmarks.programs import program
from tegmen import Sealer

MODULES: Final = {"tegmen": "tegmen.sealer", "tink": "tink.streaming_aead"}
"""What a program imports before it is measured, beyond what this module imports."""

Figures = dict[str, float]


def resident(what: str) -> float:
    """MB of resident memory: `VmRSS` now, `VmHWM` at most since `forget_peak`.

    Not `ru_maxrss`, which a new process takes over from the one that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def forget_peak() -> None:
    """The peak is what is resident now (proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def growth(work: Callable[[], object], base: float) -> float:
    """How far the peak rises above `base` while `work` runs."""
    forget_peak()
    work()
    return resident("VmHWM") - base


def peak(name: str, config: str, folder: str) -> Figures:
    """Seal `folder/source`, then open it again, and remove what was written."""
    source, sealed, opened = (Path(folder, part) for part in ("source", "sealed", "opened"))
    importlib.import_module(MODULES.get(name, "tegmen"))
    base = resident("VmRSS")
    made = program(name, config)
    figures = {"seal": growth(lambda: made.seal(source, sealed), base)}
    figures["open"] = growth(lambda: made.open(sealed, opened), base)
    assert opened.stat().st_size == source.stat().st_size < sealed.stat().st_size
    sealed.unlink()
    opened.unlink()
    return figures


def copies(config: str, size: str) -> Figures:
    """Seal and open a buffer into buffers whose pages are there already."""
    sealer = Sealer.from_file(config)
    Job(sealer, os.urandom(4096)).check()
    job = Job(sealer, os.urandom(int(size)))
    for buffer in (job.sealed, job.opened):
        for page in range(0, len(buffer), 4096):
            buffer[page] = 1
    figures = {}
    for verb, work in (("seal", job.seal), ("open", job.open)):
        figures[f"{verb}, resident"] = growth(work, resident("VmRSS"))
        figures[f"{verb}, allocated"] = allocated(work)
    job.check()
    return figures


def allocated(work: Callable[[], object]) -> float:
    """MB that Python had allocated at most while `work` ran."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / (1 << 20)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    figures = peak(*arguments) if command == "peak" else copies(*arguments)
    print(json.dumps(figures))
