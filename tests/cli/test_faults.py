"""Exit codes and messages: what people read, what programs read, and that nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tegmen import errors
from tegmen.cli import work
from tegmen.cli.faults import Fault, fault_of

ROOT = os.geteuid() == 0


@pytest.fixture
def sealed(home, tegmen, ct) -> Path:
    assert tegmen("seal", ct, "-o", "sealed.dcm").code == 0
    return home / "sealed.dcm"


def elsewhere(tmp_path, tegmen, monkeypatch) -> None:
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
def test_2_wrong_usage(home, tegmen, arguments):
    ran = tegmen(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    assert ran.out == b""


def test_2_a_profile_that_is_not_there(home, tegmen, ct):
    ran = tegmen("seal", ct, "-o", "s", "-p", "hospital-defualt")
    assert ran.code == 2
    assert 'did you mean "hospital-default"' in ran.err


def test_2_no_configuration(tmp_path, tegmen, ct, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = tegmen("seal", ct, "-o", "s")
    assert ran.code == 2
    assert "tegmen init" in ran.err


def test_2_no_configuration_is_searched_for_upwards(home, tegmen, ct, monkeypatch):
    (home / "below").mkdir()
    monkeypatch.chdir(home / "below")
    assert tegmen("seal", ct, "-o", "s").code == 2
    assert tegmen("seal", ct, "-o", "s", "-c", "../tegmen.toml").code == 0
    assert tegmen("-c", "../tegmen.toml", "verify", "s").code == 0


def test_2_a_configuration_that_others_may_write(home, tegmen, ct):
    (home / "tegmen.toml").chmod(0o666)
    assert tegmen("seal", ct, "-o", "s").code == 2


def test_2_a_rule_that_denies(home, tegmen, ct):
    config = home / "tegmen.toml"
    text = config.read_text().replace('use = "hospital-default"', 'deny = "no DICOM today"')
    config.write_text(text)
    ran = tegmen("seal", ct, "-o", "s")
    assert ran.code == 2
    assert "no DICOM today" in ran.err
    assert not (home / "s").exists()


def test_3_no_such_input(home, tegmen):
    assert tegmen("seal", "nothing", "-o", "s").code == 3
    assert tegmen("open", "nothing", "-o", "s").code == 3


def test_3_not_sealed(home, tegmen, ct):
    assert tegmen("open", ct, "-o", "o").code == 3
    assert tegmen("inspect", home / "tegmen.toml").code == 3
    assert not (home / "o").exists()


def test_3_no_such_output_folder(home, tegmen, ct):
    assert tegmen("seal", ct, "-o", "no/such/s").code == 3


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_3_a_folder_that_may_not_be_written(home, tegmen, ct):
    (home / "out").mkdir(mode=0o500)
    assert tegmen("seal", ct, "-o", "out").code == 3


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_3_an_input_that_may_not_be_read(home, tegmen):
    (home / "x").write_text("x")
    (home / "x").chmod(0)
    assert tegmen("seal", "x", "-o", "s").code == 3


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_6_a_folder_that_may_not_be_read(home, tegmen, study):
    (study / "series").chmod(0)
    try:
        ran = tegmen("seal", "study", "-o", "out")
    finally:
        (study / "series").chmod(0o700)
    assert ran.code == 6
    assert "cannot read the folder study/series" in ran.err


def test_3_a_file_where_a_folder_must_be(home, tegmen, study):
    (home / "out").mkdir()
    (home / "out" / "series").write_text("mine")
    ran = tegmen("seal", "study", "-o", "out")
    assert ran.code == 6
    assert (home / "out" / "series").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if not ROOT or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_3_a_full_disk(home, tegmen, small_disk):
    (home / "large").write_bytes(os.urandom(1 << 21))
    ran = tegmen("seal", "large", "-o", small_disk / "s.tgm")
    assert ran.code == 3
    assert "free some space" in ran.err
    assert list(small_disk.iterdir()) == []
    (home / "small").write_bytes(os.urandom(1 << 18))
    assert tegmen("seal", "small", "-o", small_disk / "s.tgm").code == 0


def test_4_another_key_of_the_same_name(sealed, tmp_path, tegmen, monkeypatch):
    elsewhere(tmp_path, tegmen, monkeypatch)
    ran = tegmen("open", sealed, "-o", "o")
    assert ran.code == 4
    assert not Path("o").exists()


def test_4_a_store_that_is_gone(home, tmp_path, tegmen, ct):
    shutil.rmtree(tmp_path / "hospital-keys")
    assert tegmen("seal", ct, "-o", "s").code == 4
    assert not (home / "s").exists()


def test_4_a_disabled_key(sealed, tegmen, tmp_path, ct):
    shutil.rmtree(tmp_path / "hospital-recovery")
    assert tegmen("keys", "disable", "hospital/images").code == 0
    assert tegmen("open", sealed, "-o", "o").code == 4
    assert tegmen("seal", ct, "-o", "s").code == 4
    assert tegmen("keys", "enable", "hospital/images").code == 0
    assert tegmen("open", sealed, "-o", "o").code == 0


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_5_a_file_cut_short(sealed, tegmen, part):
    content = sealed.read_bytes()
    sealed.write_bytes(content[: int(len(content) * part)])
    assert tegmen("open", sealed, "-o", "o").code == 5
    assert tegmen("verify", sealed).code == 5
    assert not Path("o").exists()


def test_5_a_flipped_bit(sealed, tegmen):
    content = bytearray(sealed.read_bytes())
    content[-1000] ^= 1
    sealed.write_bytes(content)
    assert tegmen("open", sealed, "-o", "o").code == 5
    assert not Path("o").exists()


def test_6_some_of_several(home, tegmen, study):
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


def test_the_only_file_of_a_folder_fails_with_its_own_code(home, tegmen):
    (home / "one").mkdir()
    (home / "one" / "x.tgm").write_bytes(b"x")
    assert tegmen("verify", "one").code == 3


# --------------------------------------------------------------------------- documents


def test_one_document_for_one_file(sealed, tegmen, ct):
    ran = tegmen("verify", sealed, "--json")
    assert ran.json["input"] == str(sealed)
    assert ran.json["size"] == ct.stat().st_size
    assert ran.json["verified"] is True


def test_one_document_for_an_error(home, tegmen):
    ran = tegmen("open", "nothing", "-o", "o", "--json")
    assert set(ran.json) == {"error"}
    assert set(ran.json["error"]) == {"code", "message", "hint"}
    assert ran.json["error"]["code"] == "InputError"
    assert "nothing" in ran.json["error"]["message"]


@pytest.mark.parametrize("where", ["before", "after"])
def test_one_document_for_wrong_usage(home, tegmen, where):
    arguments = ["--json", "seal"] if where == "before" else ["seal", "--json"]
    ran = tegmen(*arguments)
    assert ran.code == 2
    assert ran.json["error"]["code"] == "MissingParameter"
    assert ran.json["error"]["hint"] == "tegmen seal --help"


def test_one_line_for_each_of_several(home, tegmen, study):
    (study / "bad.tgm").write_text("not sealed")
    ran = tegmen("verify", "study", "--json")
    assert ran.code == 6
    assert [line["input"] for line in ran.lines][:2] == ["study/a.dcm", "study/bad.tgm"]
    assert all(line["error"]["code"] == "NotSealed" for line in ran.lines)


def test_quiet_leaves_errors(home, tegmen, ct):
    assert tegmen("seal", ct, "-o", "s", "-q").err == ""
    assert tegmen("verify", "s", "-q").out == b""
    assert tegmen("open", "nothing", "-o", "o", "-q").err.startswith("error: cannot read")


def test_terminal_commands_in_names_are_spelled_out(home, tegmen):
    (home / "a\x1b[31mb").write_text("x")
    for ran in (tegmen("seal", "a\x1b[31mb", "-o", "s"), tegmen("verify", "a\x1b[31mb", "no")):
        assert "\x1b" not in ran.err
        assert "a\\x1b[31mb" in ran.err


# --------------------------------------------------------------------------- the unforeseen


def explode(*_: object, **__: object) -> None:
    raise ZeroDivisionError("Doe^John, born 1970")


def test_the_unforeseen_is_one_line_without_what_it_holds(home, tegmen, ct, monkeypatch):
    monkeypatch.setattr("tegmen.sealer.Sealer.seal", explode)
    ran = tegmen("seal", ct, "-o", "s")
    assert ran.code == 1
    assert "ZeroDivisionError" in ran.err
    assert "Doe" not in ran.err
    assert "Traceback" not in ran.err


def test_debug_shows_where_it_came_from(home, tegmen, ct, monkeypatch):
    monkeypatch.setattr("tegmen.sealer.Sealer.seal", explode)
    ran = tegmen("seal", ct, "-o", "s", "--debug")
    assert "Traceback" in ran.err
    monkeypatch.setattr("tegmen.cli.settings.Settings.sealer", explode)
    assert "Traceback" in tegmen("seal", ct, "-o", "s", "--debug").err
    assert "Traceback" not in tegmen("seal", ct, "-o", "s").err


def test_130_an_interruption(home, tegmen, ct, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work.Seal, "__call__", interrupt)
    ran = tegmen("seal", ct, "-o", "s", "--json")
    assert ran.code == 130
    assert ran.json["error"]["code"] == "Interrupted"


def test_every_error_of_the_tree_keeps_its_code():
    def below(kind: type[errors.TegmenError]) -> list[type[errors.TegmenError]]:
        return [kind, *(one for sub in kind.__subclasses__() for one in below(sub))]

    for kind in below(errors.TegmenError):
        fault = fault_of(kind("what", hint="next"))
        assert isinstance(fault, Fault)
        assert (fault.code, fault.exit_code) == (kind.__name__, kind.exit_code)
        assert fault.as_json == {"code": kind.__name__, "message": "what", "hint": "next"}
