"""`-j`, Ctrl-C and kill -9: the same outcome from several processes, and nothing half-written."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tegmen.cli.jobs import Job
from tegmen.cli.pool import CHUNK_BYTES, CHUNK_FILES, _chunks

Run = Callable[..., Any]

LARGE = 192 << 20


@pytest.fixture
def large(home: Path) -> Path:
    """A file that takes long enough to be interrupted."""
    path = home / "large"
    with open(path, "wb") as file:
        file.truncate(LARGE)
    return path


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def busy(pid: int) -> bool:
    """Whether a process has a large file open and has read some of it."""
    try:
        return "rchar" in (io := Path(f"/proc/{pid}/io").read_text()) and (
            int(io.split()[1]) > 16 << 20
        )
    except (FileNotFoundError, PermissionError):
        return False


# --------------------------------------------------------------------------- the same outcome


def test_several_processes_do_what_one_does(
    home: Path, process: Run, study: Path, tree: Run
) -> None:
    for number in range(40):
        (study / f"n{number}.bin").write_bytes(os.urandom(number * 100))
    ran = process("seal", "study", "-o", "sealed", "-j", "2", "--json")
    assert ran.code == 0
    assert sorted(line["input"] for line in ran.lines) == sorted(
        f"study/{name}" for name in tree(study)
    )
    assert process("open", "sealed", "-o", "opened", "-j", "2").code == 0
    assert tree(home / "opened") == tree(study)
    assert process("verify", "sealed", "-j", "2").text.count(": ok") == 44


def test_failures_in_other_processes_are_told(home: Path, process: Run, study: Path) -> None:
    process("seal", "study", "-o", "sealed")
    victim = home / "sealed" / "a.dcm"
    victim.write_bytes(victim.read_bytes()[:-100])
    ran = process("open", "sealed", "-o", "opened", "-j", "2", "--json")
    assert ran.code == 6
    failed = [line for line in ran.lines if "error" in line]
    assert [line["input"] for line in failed] == ["sealed/a.dcm"]
    assert failed[0]["error"]["code"] == "FormatError"
    assert "1 of 4 files failed" in ran.err


def test_a_bad_configuration_is_told_once(home: Path, process: Run, study: Path) -> None:
    (home / "tegmen.toml").write_text("version = 1\nrules = []\n")
    ran = process("seal", "study", "-o", "sealed", "-j", "2")
    assert ran.code == 2
    assert ran.err.count("error:") == 1


def test_two_objects_of_one_name_in_two_processes(home: Path, process: Run) -> None:
    for number in range(8):
        (home / f"f{number}").mkdir()
        (home / f"f{number}" / "x.bin").write_bytes(bytes([number]) * 50)
        process("seal", f"f{number}/x.bin", "-o", f"{number}.tgm")
    ran = process("open", *(f"{n}.tgm" for n in range(8)), "-o", "out", "--force", "-j", "2")
    assert ran.code == 6
    assert "7 of 8 files failed" in ran.err


@pytest.mark.parametrize("processes", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 1000])
def test_chunks_hold_every_job_once(processes: int, count: int) -> None:
    jobs = [Job(str(number), size=number << 12) for number in range(count)]
    chunks = list(_chunks(jobs, processes))
    assert [job for chunk in chunks for job in chunk] == jobs
    for chunk in chunks:
        assert len(chunk) <= CHUNK_FILES
        assert sum(job.size for job in chunk[:-1]) < CHUNK_BYTES


# --------------------------------------------------------------------------- interrupted


@pytest.mark.parametrize("name", ["sealed.tgm", "out/"])
def test_ctrl_c_leaves_nothing(
    home: Path, large: Path, started: Run, wait_until: Run, name: str
) -> None:
    running = started("seal", "large", "-o", name)
    wait_until(lambda: busy(running.pid))
    os.killpg(running.pid, signal.SIGINT)
    _out, err = running.communicate(timeout=10)
    assert running.returncode == 130
    assert b"interrupted" in err
    assert b"Traceback" not in err
    left = [path for path in home.rglob("*") if path.is_file()]
    assert sorted(path.name for path in left) == ["large", "recovery-public.pem", "tegmen.toml"]


@pytest.mark.parametrize("to", ["group", "parent"])
def test_ctrl_c_ends_every_process(
    home: Path, large: Path, started: Run, wait_until: Run, to: str
) -> None:
    folder = home / "many"
    folder.mkdir()
    for number in range(6):
        os.link(large, folder / str(number))
    running = started("seal", "many", "-o", "out", "-j", "2")
    wait_until(lambda: any(map(busy, children(running.pid))))
    workers = children(running.pid)
    (os.killpg if to == "group" else os.kill)(running.pid, signal.SIGINT)
    _out, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert b"Traceback" not in err
    assert not any(map(alive, workers))
    for path in (home / "out").rglob("*"):
        assert path.suffix == ".tgm"
        assert path.stat().st_size > LARGE


def test_kill_9_leaves_no_file_and_no_process(
    home: Path, large: Path, started: Run, wait_until: Run
) -> None:
    folder = home / "many"
    folder.mkdir()
    for number in range(4):
        os.link(large, folder / str(number))
    running = started("seal", "many", "-o", "out", "-j", "2")
    wait_until(lambda: any(map(busy, children(running.pid))))
    workers = children(running.pid)
    assert len(workers) == 2
    os.kill(running.pid, signal.SIGKILL)
    running.wait(10)
    wait_until(lambda: not any(map(alive, workers)))
    for path in (home / "out").rglob("*"):
        assert path.stat().st_size > LARGE


def test_kill_9_at_any_moment_leaves_whole_files_only(
    home: Path, process: Run, started: Run, tree: Run, study: Path
) -> None:
    for number in range(30):
        (study / f"n{number}.bin").write_bytes(os.urandom(200_000))
    for delay in (0.12, 0.2, 0.25, 0.3):
        running = started("seal", "study", "-o", "sealed", "--force")
        try:
            running.wait(delay)
        except Exception:
            running.kill()
        running.wait(10)
    if (home / "sealed").exists():
        assert process("verify", "sealed").code == 0
        assert not [name for name in tree(home / "sealed") if name.endswith(".part")]


def test_a_worker_that_dies_is_told(home: Path, large: Path, started: Run, wait_until: Run) -> None:
    folder = home / "many"
    folder.mkdir()
    for number in range(4):
        os.link(large, folder / str(number))
    running = started("seal", "many", "-o", "out", "-j", "2")
    wait_until(lambda: any(map(busy, children(running.pid))))
    os.kill(children(running.pid)[0], signal.SIGKILL)
    _out, err = running.communicate(timeout=30)
    assert running.returncode == 1
    assert b"smaller -j" in err, err
    assert b"Traceback" not in err, err.decode()
