"""An installation as `tegmen init` makes it, and three ways to run the command in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from click.testing import CliRunner
from pydicom.data import get_testdata_file

from tegmen.cli.root import root

COMMAND = [sys.executable, "-c", "from tegmen.cli import main; main()"]


@frozen
class Ran:
    """What a run left behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Newline-delimited JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


Tegmen = Callable[..., Ran]


@pytest.fixture
def tegmen() -> Tegmen:
    """Runs the command in this process, as programs without a terminal do."""

    def run(*arguments: object, input: bytes = b"") -> Ran:
        result = CliRunner().invoke(root, [str(one) for one in arguments], input=input)
        return Ran(result.exit_code, result.stdout_bytes, result.stderr)

    return run


@pytest.fixture
def process() -> Tegmen:
    """Runs the command in a process of its own."""

    def run(*arguments: object, input: bytes = b"", **more: Any) -> Ran:
        command = [*COMMAND, *map(str, arguments)]
        done = subprocess.run(command, input=input, capture_output=True, check=False, **more)
        return Ran(done.returncode, done.stdout, done.stderr.decode())

    return run


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the command in a process group of its own, which ends with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object, **more: Any) -> subprocess.Popen[bytes]:
        command = [*COMMAND, *map(str, arguments)]
        running.append(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                **more,
            )
        )
        return running[-1]

    yield start
    for one in running:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


@pytest.fixture
def home(tmp_path: Path, tegmen: Tegmen, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a new installation, and the working folder of the test."""
    folder = tmp_path / "hospital"
    assert tegmen("init", folder, "-q").code == 0
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def ct() -> Path:
    """A real CT slice, 39 kB."""
    return Path(str(get_testdata_file("CT_small.dcm", download=False)))


@pytest.fixture
def study(home: Path, ct: Path) -> Path:
    """A folder of folders: two DICOM files, a picture's name, an empty file."""
    folder = home / "study"
    (folder / "series" / "deep").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(ct.read_bytes())
    (folder / "series" / "b.dcm").write_bytes(ct.read_bytes())
    (folder / "series" / "deep" / "c.png").write_bytes(os.urandom(70_000))
    (folder / "series" / "empty.txt").write_bytes(b"")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Reads a folder: path in it to content."""
    return contents


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition, at most ten seconds."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "it did not happen within ten seconds"
            time.sleep(0.01)

    return wait
