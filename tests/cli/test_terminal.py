"""What changes when somebody watches: refusals, bars, questions, colours."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

Run = Callable[..., Any]

COMMAND = [sys.executable, "-c", "from tegmen.cli import main; main()"]


@frozen
class Watched:
    """What a run on a terminal left behind."""

    code: int
    shown: str


@pytest.fixture
def terminal() -> Callable[..., Watched]:
    """Runs the command with the named ends on one terminal; the others are pipes."""

    def run(
        *arguments: object,
        ends: tuple[str, ...],
        asked: bytes = b"",
        typed: bytes = b"",
        **env: str,
    ) -> Watched:
        ours, theirs = pty.openpty()
        given: dict[str, Any] = {
            end: theirs if end in ends else subprocess.PIPE for end in ("stdin", "stdout", "stderr")
        }
        shown = bytearray()

        def read() -> None:
            answers = [typed] if typed else []
            while True:
                try:
                    shown.extend(os.read(ours, 65536))
                except OSError:  # the other side is closed
                    return
                if answers and asked in shown:
                    os.write(ours, answers.pop())

        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **env}
        running = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], env=environment, start_new_session=True, **given
        )
        os.close(theirs)
        reader = threading.Thread(target=read)
        reader.start()
        running.communicate(timeout=30)
        reader.join()
        os.close(ours)
        return Watched(running.returncode, shown.decode())

    return run


@pytest.mark.parametrize("command", ["seal", "open"])
def test_a_terminal_gets_no_binary(
    home: Path, terminal: Run, tegmen: Run, ct: Path, command: str
) -> None:
    source = str(ct)
    if command == "open":
        tegmen("seal", ct, "-o", "sealed.dcm")
        source = "sealed.dcm"
    ran = terminal(command, source, "-o", "-", ends=("stdout",))
    assert ran.code == 2
    assert ran.shown == ""
    ran = terminal(command, source, "-o", "-", ends=("stderr",))
    assert ran.code == 0


def test_a_bar_is_shown_to_people_only(
    home: Path, terminal: Run, study: Path, process: Run
) -> None:
    ran = terminal("seal", "study", "-o", "a", ends=("stderr",))
    assert ran.code == 0
    assert "sealing" in ran.shown
    assert "4/4 files" in ran.shown or "0/4 files" in ran.shown
    assert "\x1b[" in ran.shown
    assert "sealing" not in process("seal", "study", "-o", "b").err


@pytest.mark.parametrize("how", [["--quiet"], ["-q"]])
def test_quiet_shows_no_bar(home: Path, terminal: Run, study: Path, how: list[str]) -> None:
    assert terminal("seal", "study", "-o", "a", *how, ends=("stderr",)).shown == ""


def test_a_bar_of_several_processes(home: Path, terminal: Run, study: Path) -> None:
    ran = terminal("seal", "study", "-o", "a", "-j", "2", ends=("stderr",))
    assert ran.code == 0
    assert "sealing" in ran.shown


def test_a_bar_moves_within_a_large_file(home: Path, terminal: Run) -> None:
    with open(home / "large", "wb") as file:
        file.truncate(160 << 20)
    ran = terminal("seal", "large", "-o", "large.tgm", ends=("stderr",))
    assert ran.code == 0
    assert "0/1 files" in ran.shown
    assert (home / "large.tgm").exists()


def test_no_color_is_obeyed(home: Path, terminal: Run) -> None:
    colour, none = "\x1b[32m", "NO_COLOR"
    assert colour in terminal("doctor", ends=("stdout",)).shown
    assert colour not in terminal("doctor", ends=("stdout",), **{none: "1"}).shown


def test_destroying_asks_for_the_name(home: Path, terminal: Run, tegmen: Run) -> None:
    tegmen("keys", "create", "hospital/old")
    ends = ("stdin", "stderr")
    ran = terminal(
        "keys",
        "destroy",
        "hospital/old",
        ends=ends,
        asked=b"Type its name",
        typed=b"hospital/odl\n",
    )
    assert ran.code == 2
    assert "can never be opened again" in ran.shown
    assert tegmen("keys", "show", "hospital/old", "--json").json["state"] == "enabled"
    ran = terminal(
        "keys",
        "destroy",
        "hospital/old",
        ends=ends,
        asked=b"Type its name",
        typed=b"hospital/old\n",
    )
    assert ran.code == 0
    assert tegmen("keys", "show", "hospital/old", "--json").json["state"] == "destroyed"


def test_no_input_asks_nothing(home: Path, terminal: Run, tegmen: Run) -> None:
    tegmen("keys", "create", "hospital/old")
    ends = ("stdin", "stderr")
    ran = terminal("keys", "destroy", "hospital/old", "--no-input", ends=ends)
    assert ran.code == 2
    assert "Type its name" not in ran.shown
    assert tegmen("keys", "show", "hospital/old", "--json").json["state"] == "enabled"


def with_a_passphrase(home: Path, tmp_path: Path) -> None:
    """The daily key store asks for a passphrase, and has the key that profiles name."""
    config = home / "tegmen.toml"
    text = config.read_text()
    line = next(line for line in text.splitlines() if line.startswith("key-file"))
    (tmp_path / "phrase").mkdir(mode=0o700)
    (tmp_path / "phrase" / "file").write_text("correct horse battery staple\n")
    (tmp_path / "phrase" / "file").chmod(0o600)
    text = text.replace('"../hospital-keys/store"', '"../phrase/store"')
    config.write_text(text.replace(line, 'passphrase-file = "../phrase/file"'))
    from tegmen import Sealer
    from tegmen.interfaces import Initialiser, Rotator

    store = Sealer.from_file(config).store("hospital")
    assert isinstance(store, Initialiser)
    assert isinstance(store, Rotator)
    store.initialise()
    store.create("images")
    config.write_text(text.replace(line, "prompt = true"))


def test_no_input_keeps_stores_from_asking(
    home: Path, terminal: Run, tmp_path: Path, ct: Path
) -> None:
    with_a_passphrase(home, tmp_path)
    ends = ("stdin", "stderr")
    answer = {"asked": b"Passphrase", "typed": b"correct horse battery staple\n"}
    ran = terminal("seal", ct, "-o", "a", ends=ends, **answer)
    assert ran.code == 0
    assert "Passphrase" in ran.shown
    assert "staple" not in ran.shown
    ran = terminal("seal", ct, "-o", "b", "--no-input", ends=ends)
    assert ran.code == 4
    assert "Passphrase of" not in ran.shown
