"""The benchmarks run: a table with figures, and rows that refuse to time what does not work."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """`python -m benchmarks --quick` with more arguments."""

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "benchmarks", "--quick", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    return start


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A module of the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """All lines of all rows of a JSON run that worked."""
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for row in json.loads(done.stdout)["rows"] for line in row["lines"]]


def test_the_table_has_figures_and_says_what_is_included(run: Run) -> None:
    done = run("--only", "small")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seal 4 KB" in done.stdout
    assert "raw AES-256-GCM" in done.stdout
    assert "[1] Included: detection, rules" in done.stdout
    assert "targets are not judged" in done.stdout


def test_figures_are_measured(run: Run) -> None:
    measured = lines(run("--json", "--only", "small", "--only", "file-half"))
    assert {line["what"] for line in measured} >= {"seal 4 KB", "open 4 KB"}
    for line in measured:
        assert line["figure"] > 0
        assert line["peer_figure"] > 0
        assert line["ratio"] == pytest.approx(line["peer_figure"] / line["figure"], rel=0.9)
        assert line["turns"] >= 2
        assert line["met"] is None


def test_memory_is_measured_in_its_own_process(run: Run) -> None:
    measured = lines(run("--json", "--only", "copies"))
    assert len(measured) == 4
    assert all(0 <= line["figure"] < 2 for line in measured)


@pytest.mark.skipif(importlib.util.find_spec("data_store") is None, reason="needs pydicom-data")
def test_one_frame_is_a_small_share_of_what_is_read(run: Run) -> None:
    share, _ = lines(run("--json", "--only", "frame-of-many-image"))
    assert share["unit"] == "%"
    assert 0.5 < share["figure"] < 2


def test_rows_are_listed(run: Run) -> None:
    names = run("--list").stdout.split()
    assert {"small", "part", "large", "peak-memory", "ct", "help", "jobs"} <= set(names)
    assert len(names) == len(set(names))


def test_a_row_that_does_not_exist_is_a_usage_error(run: Run) -> None:
    done = run("--only", "nothing")
    assert done.returncode == 2
    assert "--list shows them" in done.stderr


@pytest.mark.parametrize(
    ("limit", "of", "figure", "ratio", "met"),
    [
        (60, "figure", 60.0, None, True),
        (60, "figure", 60.1, 2.0, False),
        (0.92, "ratio", 9.0, 0.92, True),
        (0.92, "ratio", 9.0, 0.919, False),
        (0.92, "ratio", 9.0, None, None),
    ],
)
def test_a_target_is_met_or_missed(
    module: Callable[[str], Any],
    limit: float,
    of: str,
    figure: float,
    ratio: float | None,
    met: bool | None,
) -> None:
    found = module("lines")
    line = found.Line("row", "what", "us", figure, ratio=ratio, target=found.Target(limit, of))
    assert line.met is met


def test_contenders_take_turns_and_are_compared_pair_by_pair(module: Callable[[str], Any]) -> None:
    measure = module("measure")
    played: list[str] = []

    def contender(name: str, seconds: float) -> Any:
        def turn(_count: int) -> float:
            played.append(name)
            return seconds * len(played)  # the machine gets slower and slower

        return measure.Contender(name, turn)

    own, peer = measure.interleave([contender("a", 1.0), contender("b", 3.0)], seconds=0, least=3)
    assert played == ["a", "b", *["a", "b"] * 3]
    assert len(own.turns) == len(peer.turns) == 3
    assert own.speed_beside(peer) == pytest.approx(3 * 6 / 5)


def test_a_program_that_gives_other_bytes_back_is_not_timed(
    module: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, programs = module("worker"), module("programs")
    monkeypatch.setattr(
        programs.Cobblestone, "open", lambda _self, _source, target: target.write_bytes(b"other")
    )
    (tmp_path / "source").write_bytes(b"image")
    with pytest.raises(AssertionError, match="opened to other bytes"):
        worker.serve("cobblestone", "", tmp_path / "source", tmp_path)


def test_a_worker_answers_each_turn_and_leaves_nothing(
    module: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("seal 3\nopen 2\n"))
    (tmp_path / "source").write_bytes(b"image")
    module("worker").serve("cobblestone", "", tmp_path / "source", tmp_path)
    ready, sealing, opening = map(float, capsys.readouterr().out.split())
    assert ready == 0
    assert min(sealing, opening) > 0
    assert list((tmp_path / "out").iterdir()) == []


def test_a_hidden_copy_would_be_seen(module: Callable[[str], Any]) -> None:
    child = module("child")
    data = bytes(32 << 20)
    assert child.allocated(lambda: bytearray(data)) > 32
    assert child.allocated(lambda: None) < 1
