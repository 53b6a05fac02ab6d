"""Rows from file to file on a RAM disk, beside other streaming encryption."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.lines import Line, Row, compare, times_as_fast
from benchmarks.programs import peers
from benchmarks.worker import Worker

QUICK = 2 << 20

FAIR = (
    "Each program has a process of its own, reads and writes the same RAM disk, and ends with "
    "fsync, rename and fsync of the folder. tegmen also draws and wraps a data key and writes "
    "header, slots and manifest; the peers' keys are ready in memory. All are AES-256-GCM, in "
    "segments of 1 MiB (tegmen, Tink) or 16 KiB (Cobblestone)."
)


def file_to_file(bench: Bench, row: str, size: int) -> Iterable[Line]:
    """Every program seals, then opens, a file of `size` random bytes."""
    length = bench.size(size, min(size, QUICK))
    config, names = bench.config(verify=False), ["tegmen", *peers()]
    with bench.room(needed=(3 + len(names)) * length) as folder, contextlib.ExitStack() as stack:
        source = _random_file(folder / "source", length)
        workers = [
            stack.enter_context(Worker(name, config, source, folder / name)) for name in names
        ]
        for verb in ("seal", "open"):
            what = f"{verb} a file of {shown(length)}"
            contenders = [worker.contender(verb) for worker in workers]
            yield from compare(bench, row, what, "ms", contenders, times_as_fast(1), least=3)


def verified(bench: Bench) -> Iterable[Line]:
    """tegmen alone, with and without opening and comparing what it sealed."""
    length = bench.size(64 << 20, QUICK)
    with bench.room(needed=4 * length) as folder:
        source = _random_file(folder / "source", length)
        on, off = bench.config(verify=True), bench.config(verify=False)
        with (
            Worker("tegmen", on, source, folder / "on") as checking,
            Worker("tegmen", off, source, folder / "off", "tegmen, not verified") as trusting,
        ):
            contenders = [checking.contender("seal"), trusting.contender("seal")]
            what = f"seal a file of {shown(length)}, verified after sealing"
            yield from compare(bench, "file-verified", what, "ms", contenders)


def _random_file(path: Path, length: int) -> Path:
    with open(path, "wb") as file:
        for start in range(0, length, 64 << 20):
            file.write(os.urandom(min(64 << 20, length - start)))
    return path


def shown(size: int) -> str:
    """A size as people say it: MB is 2^20 bytes here."""
    return f"{size >> 30} GB" if size >= 1 << 30 else f"{size / (1 << 20):g} MB"


ROWS = (
    *(
        Row(name, FAIR, partial(file_to_file, row=name, size=size))
        for name, size in (("file-half", 512 << 10), ("file-64", 64 << 20), ("file-1024", 1 << 30))
    ),
    Row(
        "file-verified",
        "tegmen beside itself: what opening and comparing every sealed file costs.",
        verified,
    ),
)
