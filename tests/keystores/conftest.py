"""What the tests of every key store may ask for: a passphrase, and a disk that gets full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest


@pytest.fixture
def passphrase() -> str:
    """One that is long enough."""
    return "correct horse battery staple"


@pytest.fixture
def mount_small_disk(is_root: bool) -> Iterator[Callable[[Path], Path]]:
    """Makes a folder that is a file system of 64 KiB."""
    if not is_root:
        pytest.skip("only root can mount a small file system")
    with ExitStack() as mounted:

        def mount(place: Path) -> Path:
            place.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(place)]
            if subprocess.run(command, check=False, capture_output=True).returncode:
                pytest.skip("mounting is not allowed here")
            mounted.callback(subprocess.run, ["umount", str(place)], check=True)
            return place

        yield mount


@pytest.fixture
def fill() -> Callable[[Path], Path]:
    """Uses up all space of a folder's file system; gives the file that does it."""

    def write(folder: Path) -> Path:
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return filler

    return write
