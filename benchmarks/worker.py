"""A program in a process of its own, so that none pays for, or gains by, another's memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.measure import Contender, calls
from benchmarks.programs import NAMES, program

ROOT = Path(__file__).parents[1]


class Worker:
    """Starts the process, and tells it when its turn is.

    Args:
        name: of the program, a key of `programs.NAMES`.
        config: tegmen's configuration.
        source: what to seal.
        folder: for what the program writes; made here.
        called: in the table, if not what `NAMES` has.

    Raises:
        AssertionError: what it sealed does not open to the same bytes.
    """

    def __init__(
        self, name: str, config: Path, source: Path, folder: Path, called: str = ""
    ) -> None:
        folder.mkdir()
        self._called = called or NAMES[name]
        command = [sys.executable, "-m", "benchmarks.worker", name, config, source, folder]
        self._process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self._answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def contender(self, verb: str) -> Contender:
        """Seals or opens."""
        return Contender(self._called, partial(self._turn, verb))

    def _turn(self, verb: str, count: int) -> float:
        assert self._process.stdin is not None
        print(verb, count, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate()
            raise AssertionError(f"{self._called} ended: {said.strip()[-300:]}")
        return float(line)


def serve(name: str, config: str, source: Path, folder: Path) -> None:
    """Check the program; then take a verb and a count from each line, and answer with seconds."""
    made = program(name, config)
    sealed, opened, out = folder / "sealed", folder / "opened", folder / "out"
    made.seal(source, sealed)
    made.open(sealed, opened)
    if name != "pydicom":
        assert digest(opened) == digest(source) != digest(sealed), "opened to other bytes"
    opened.unlink()
    out.mkdir()
    print(0, flush=True)
    for line in sys.stdin:
        verb, count = line.split()
        work, given = (made.seal, source) if verb == "seal" else (made.open, sealed)
        print(calls(partial(_write, work, given, out), int(count)), flush=True)
        for path in out.iterdir():
            path.unlink()


def _write(work: Callable[[Path, Path], object], given: Path, out: Path, call: int) -> None:
    work(given, out / str(call))


def digest(path: Path) -> bytes:
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
