"""Exit codes and messages: what people read, what programs read, and that nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tegmen import errors
from tegmen.cli import work
from tegmen.cli.faults import Fault, fault_of

Run = Callable[..., Any]

ROOT = os.geteuid() == 0


@pytest.fixture
def sealed(home: Path, tegmen: Run, ct: Path) -> Path:
    assert tegmen("seal", ct, "-o", "sealed.dcm").code == 0
    return home / "sealed.dcm"


def elsewhere(tmp_path: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another hospital, whose stores and keys have the same names."""
    assert tegmen("init", tmp_path / "other", "-q").code == 0
    monkeypatch.chdir(tmp_path / "other")


# --------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["seal"],
        ["seal", "x"],
        ["seal", "x", "-o", "y", "--no-such-option"],
        ["seal", "x", "-o", "y", "-j", "0"],
        ["open", "-o", "y"],
        ["keys", "show", "no-slash"],
        ["explain"],
    ],
)
def test_2_wrong_usage(home: Path, tegmen: Run, arguments: list[str]) -> None:
    ran = tegmen(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    assert ran.out == b""


def test_2_a_profile_that_is_not_there(home: Path, tegmen: Run, ct: Path) -> None:
    ran = tegmen("seal", ct, "-o", "s", "-p", "hospital-defualt")
    assert ran.code == 2
    assert 'did you mean "hospital-default"' in ran.err


def test_2_no_configuration(
    tmp_path: Path, tegmen: Run, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = tegmen("seal", ct, "-o", "s")
    assert ran.code == 2
    assert "tegmen init" in ran.err


def test_2_no_configuration_is_searched_for_upwards(
    home: Path, tegmen: Run, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "below").mkdir()
    monkeypatch.chdir(home / "below")
    assert tegmen("seal", ct, "-o", "s").code == 2
    assert tegmen("seal", ct, "-o", "s", "-c", "../tegmen.toml").code == 0
    assert tegmen("-c", "../tegmen.toml", "verify", "s").code == 0


def test_2_a_configuration_that_others_may_write(home: Path, tegmen: Run, ct: Path) -> None:
    (home / "tegmen.toml").chmod(0o666)
    assert tegmen("seal", ct, "-o", "s").code == 2


def test_2_a_rule_that_denies(home: Path, tegmen: Run, ct: Path) -> None:
    config = home / "tegmen.toml"
    text = config.read_text().replace('use = "hospital-default"', 'deny = "no DICOM today"')
    config.write_text(text)
    ran = tegmen("seal", ct, "-o", "s")
    assert ran.code == 2
    assert "no DICOM today" in ran.err
    assert not (home / "s").exists()


def test_3_no_such_input(home: Path, tegmen: Run) -> None:
    assert tegmen("seal", "nothing", "-o", "s").code == 3
    assert tegmen("open", "nothing", "-o", "s").code == 3


def test_3_not_sealed(home: Path, tegmen: Run, ct: Path) -> None:
    assert tegmen("open", ct, "-o", "o").code == 3
    assert tegmen("inspect", home / "tegmen.toml").code == 3
    assert not (home / "o").exists()


def test_3_no_such_output_folder(home: Path, tegmen: Run, ct: Path) -> None:
    assert tegmen("seal", ct, "-o", "no/such/s").code == 3


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be written, not by root either."""
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    if ROOT and not mounted(folder, "ro"):
        pytest.skip("root may write everywhere, and cannot mount a disk here")
    yield folder
    if ROOT:
        subprocess.run(["umount", str(folder)], check=True)


def mounted(folder: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_3_a_folder_that_may_not_be_written(
    home: Path, tegmen: Run, ct: Path, read_only: Path
) -> None:
    assert tegmen("seal", ct, "-o", read_only).code == 3
    assert tegmen("seal", ct, "-o", read_only / "deep" / "s.dcm").code == 3
    assert tegmen("seal", ct, "-o", f"{read_only}/deep/").code == 3
    assert tegmen("init", read_only / "hospital").code == 3


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_3_an_input_that_may_not_be_read(home: Path, tegmen: Run) -> None:
    (home / "x").write_text("x")
    (home / "x").chmod(0)
    assert tegmen("seal", "x", "-o", "s").code == 3


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_6_a_folder_that_may_not_be_read(home: Path, tegmen: Run, study: Path) -> None:
    (study / "series").chmod(0)
    try:
        ran = tegmen("seal", "study", "-o", "out")
    finally:
        (study / "series").chmod(0o700)
    assert ran.code == 6
    assert "cannot read the folder study/series" in ran.err


def test_3_a_file_where_a_folder_must_be(home: Path, tegmen: Run, study: Path) -> None:
    (home / "out").mkdir()
    (home / "out" / "series").write_text("mine")
    ran = tegmen("seal", "study", "-o", "out")
    assert ran.code == 6
    assert (home / "out" / "series").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not ROOT or not mounted(folder, "size=1m,mode=0700"):
        pytest.skip("a disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_3_a_full_disk(home: Path, tegmen: Run, small_disk: Path) -> None:
    (home / "large").write_bytes(os.urandom(1 << 21))
    ran = tegmen("seal", "large", "-o", small_disk / "s.tgm")
    assert ran.code == 3
    assert "free some space" in ran.err
    assert list(small_disk.iterdir()) == []
    (home / "small").write_bytes(os.urandom(1 << 18))
    assert tegmen("seal", "small", "-o", small_disk / "s.tgm").code == 0


def test_4_another_key_of_the_same_name(
    sealed: Path, tmp_path: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(tmp_path, tegmen, monkeypatch)
    ran = tegmen("open", sealed, "-o", "o")
    assert ran.code == 4
    assert not Path("o").exists()


def test_4_a_store_that_is_gone(home: Path, tmp_path: Path, tegmen: Run, ct: Path) -> None:
    shutil.rmtree(tmp_path / "hospital-keys")
    assert tegmen("seal", ct, "-o", "s").code == 4
    assert not (home / "s").exists()


def test_4_a_disabled_key(sealed: Path, tegmen: Run, tmp_path: Path, ct: Path) -> None:
    shutil.rmtree(tmp_path / "hospital-recovery")
    assert tegmen("keys", "disable", "hospital/images").code == 0
    assert tegmen("open", sealed, "-o", "o").code == 4
    assert tegmen("seal", ct, "-o", "s").code == 4
    assert tegmen("keys", "enable", "hospital/images").code == 0
    assert tegmen("open", sealed, "-o", "o").code == 0


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_5_a_file_cut_short(sealed: Path, tegmen: Run, part: float) -> None:
    content = sealed.read_bytes()
    sealed.write_bytes(content[: int(len(content) * part)])
    assert tegmen("open", sealed, "-o", "o").code == 5
    assert tegmen("verify", sealed).code == 5
    assert not Path("o").exists()


def test_5_a_flipped_bit(sealed: Path, tegmen: Run) -> None:
    content = bytearray(sealed.read_bytes())
    content[-1000] ^= 1
    sealed.write_bytes(content)
    assert tegmen("open", sealed, "-o", "o").code == 5
    assert not Path("o").exists()


def test_6_some_of_several(home: Path, tegmen: Run, study: Path) -> None:
    (study / "series" / "b.dcm").write_bytes(b"not DICOM, so it becomes a file")
    tegmen("seal", "study", "-o", "sealed")
    victim = home / "sealed" / "series" / "deep" / "c.png.tgm"
    victim.write_bytes(victim.read_bytes()[:-1])
    ran = tegmen("open", "sealed", "-o", "opened")
    assert ran.code == 6
    assert "error: sealed/series/deep/c.png.tgm: " in ran.err
    assert "1 of 4 files failed" in ran.err
    assert "opened 3 files" in ran.err
    assert not (home / "opened" / "series" / "deep" / "c.png").exists()


def test_the_only_file_of_a_folder_fails_with_its_own_code(home: Path, tegmen: Run) -> None:
    (home / "one").mkdir()
    (home / "one" / "x.tgm").write_bytes(b"x")
    assert tegmen("verify", "one").code == 3


# --------------------------------------------------------------------------- documents


def test_one_document_for_one_file(sealed: Path, tegmen: Run, ct: Path) -> None:
    ran = tegmen("verify", sealed, "--json")
    assert ran.json["input"] == str(sealed)
    assert ran.json["size"] == ct.stat().st_size
    assert ran.json["verified"] is True


def test_one_document_for_an_error(home: Path, tegmen: Run) -> None:
    ran = tegmen("open", "nothing", "-o", "o", "--json")
    assert set(ran.json) == {"error"}
    assert set(ran.json["error"]) == {"code", "message", "hint"}
    assert ran.json["error"]["code"] == "InputError"
    assert "nothing" in ran.json["error"]["message"]


@pytest.mark.parametrize("where", ["before", "after"])
def test_one_document_for_wrong_usage(home: Path, tegmen: Run, where: str) -> None:
    arguments = ["--json", "seal"] if where == "before" else ["seal", "--json"]
    ran = tegmen(*arguments)
    assert ran.code == 2
    assert ran.json["error"]["code"] == "MissingParameter"
    assert ran.json["error"]["hint"] == "tegmen seal --help"


def test_one_line_for_each_of_several(home: Path, tegmen: Run, study: Path) -> None:
    (study / "bad.tgm").write_text("not sealed")
    ran = tegmen("verify", "study", "--json")
    assert ran.code == 6
    assert [line["input"] for line in ran.lines][:2] == ["study/a.dcm", "study/bad.tgm"]
    assert all(line["error"]["code"] == "NotSealed" for line in ran.lines)


def test_quiet_leaves_errors(home: Path, tegmen: Run, ct: Path) -> None:
    assert tegmen("seal", ct, "-o", "s", "-q").err == ""
    assert tegmen("verify", "s", "-q").out == b""
    assert tegmen("open", "nothing", "-o", "o", "-q").err.startswith("error: cannot read")


def test_terminal_commands_in_names_are_spelled_out(home: Path, tegmen: Run) -> None:
    (home / "a\x1b[31mb").write_text("x")
    sealed = tegmen("seal", "a\x1b[31mb", "-o", "s", "--name", "x")
    for ran in (sealed, tegmen("verify", "a\x1b[31mb", "no")):
        assert "\x1b" not in ran.err
        assert "a\\x1b[31mb" in ran.err


# --------------------------------------------------------------------------- the unforeseen


def explode(*_: object, **__: object) -> None:
    raise ZeroDivisionError("Doe^John, born 1970")


def test_the_unforeseen_is_one_line_without_what_it_holds(
    home: Path, tegmen: Run, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tegmen.sealer.Sealer.seal", explode)
    ran = tegmen("seal", ct, "-o", "s")
    assert ran.code == 1
    assert "ZeroDivisionError" in ran.err
    assert "Doe" not in ran.err
    assert "Traceback" not in ran.err


def test_debug_shows_where_it_came_from(
    home: Path, tegmen: Run, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tegmen.sealer.Sealer.seal", explode)
    ran = tegmen("seal", ct, "-o", "s", "--debug")
    assert "Traceback" in ran.err
    monkeypatch.setattr("tegmen.cli.settings.Settings.sealer", explode)
    assert "Traceback" in tegmen("seal", ct, "-o", "s", "--debug").err
    assert "Traceback" not in tegmen("seal", ct, "-o", "s").err


def test_130_an_interruption(
    home: Path, tegmen: Run, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work.Seal, "__call__", interrupt)
    ran = tegmen("seal", ct, "-o", "s", "--json")
    assert ran.code == 130
    assert ran.json["error"]["code"] == "Interrupted"


def test_every_error_of_the_tree_keeps_its_code() -> None:
    def below(kind: type[errors.TegmenError]) -> list[type[errors.TegmenError]]:
        return [kind, *(one for sub in kind.__subclasses__() for one in below(sub))]

    for kind in below(errors.TegmenError):
        fault = fault_of(kind("what", hint="next"))
        assert isinstance(fault, Fault)
        assert (fault.code, fault.exit_code) == (kind.__name__, kind.exit_code)
        assert fault.as_json == {"code": kind.__name__, "message": "what", "hint": "next"}


# --------------------------------------------------------------------------- odd streams


def shell(line: str, **more: Any) -> tuple[int, str]:
    """A line of shell that calls `tegmen`; its exit code and what it told people."""
    command = f'{sys.executable} -c "from tegmen.cli import main; main()"'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('tegmen', command, 1)}"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        **more,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("line", ["seal - -o x.tgm <&-", "inspect - <&-", "seal x -o - >&-"])
def test_3_a_stream_that_is_closed(home: Path, line: str) -> None:
    (home / "x").write_text("x")
    code, err = shell(f"tegmen {line}")
    assert code == 3
    assert "is closed" in err


@pytest.mark.parametrize("size", [100, 1 << 20])
def test_3_standard_output_that_is_full(home: Path, size: int) -> None:
    (home / "x").write_bytes(bytes(size))
    code, err = shell("tegmen seal x -o - > /dev/full")
    assert code == 3
    assert "No space left" in err


@pytest.mark.parametrize("line", ["plugins", "keys list --json", "doctor"])
def test_3_a_table_that_cannot_be_written(home: Path, line: str) -> None:
    code, err = shell(f"tegmen {line} > /dev/full")
    assert code == 3
    assert "No space left" in err
    assert "Traceback" not in err


def test_a_reader_that_goes_early_is_told_nothing_odd(home: Path, study: Path) -> None:
    (home / "x").write_bytes(bytes(1 << 20))
    code, err = shell("tegmen seal x -o - | head -c 1 > /dev/null")
    assert code == 3
    assert "Traceback" not in err
    assert "Exception" not in err


def test_nobody_listens_at_all(home: Path) -> None:
    (home / "x").write_text("x")
    assert shell("tegmen seal x -o y >&- 2>&-")[0] == 0
    assert (home / "y").exists()


def test_an_encoding_without_the_letters_of_a_name(home: Path) -> None:
    (home / "é画").write_text("x")
    code, _ = shell("tegmen explain é画", env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert code == 0
