"""`tegmen seal`, `open` and `verify`: back bit for bit, and where every output goes."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tegmen import Sealer

Run = Callable[..., Any]


def sealed_case(tegmen: Run, ct: Path, *more: str) -> Any:
    declared = ("--declare", "purpose=teleradiology", "--context", "case=7")
    return tegmen("seal", ct, "-o", "sealed.dcm", *declared, *more)


# --------------------------------------------------------------------------- one file


def test_one_file_comes_back_bit_for_bit(home: Path, tegmen: Run, ct: Path) -> None:
    assert tegmen("seal", ct, "-o", "sealed.dcm").code == 0
    assert ct.read_bytes() != (home / "sealed.dcm").read_bytes()
    assert tegmen("open", "sealed.dcm", "-o", "opened.dcm").code == 0
    assert (home / "opened.dcm").read_bytes() == ct.read_bytes()


def test_a_rule_chooses_the_profile(home: Path, tegmen: Run, ct: Path) -> None:
    assert tegmen("seal", ct, "-o", "a.dcm", "--json").json["rule"] == "dicom"
    ran = sealed_case(tegmen, ct, "--json")
    assert (ran.json["rule"], ran.json["profile"]) == ("sent-to-a-reader", "teleradiology")


def test_a_named_profile_is_used(home: Path, tegmen: Run, ct: Path) -> None:
    ran = tegmen("seal", ct, "-o", "a.tgm", "-p", "hospital-files", "--json")
    assert ran.json["carrier"] == "tgm"


def test_context_is_needed_to_open(home: Path, tegmen: Run, ct: Path) -> None:
    assert sealed_case(tegmen, ct).code == 0
    assert tegmen("open", "sealed.dcm", "-o", "o").code == 2
    assert tegmen("open", "sealed.dcm", "-o", "o", "--context", "case=8").code == 5
    assert not (home / "o").exists()
    assert tegmen("open", "sealed.dcm", "-o", "o", "--context", "case=7").code == 0


def test_a_value_may_hold_equal_signs(home: Path, tegmen: Run, ct: Path) -> None:
    declared = ("--declare", "purpose=teleradiology")
    assert tegmen("seal", ct, "-o", "s", *declared, "--context", "case=a=b").code == 0
    assert tegmen("open", "s", "-o", "o", "--context", "case=a=b").code == 0


@pytest.mark.parametrize("given", [["case"], ["=7"], ["case=7", "--context", "case=8"]])
def test_malformed_context_is_wrong_usage(
    home: Path, tegmen: Run, ct: Path, given: list[str]
) -> None:
    assert tegmen("seal", ct, "-o", "s", "--context", *given).code == 2


def test_an_existing_folder_gets_the_file_under_its_name(home: Path, tegmen: Run, ct: Path) -> None:
    (home / "out").mkdir()
    assert tegmen("seal", ct, "-o", "out").code == 0
    assert tegmen("seal", ct, "-o", "new/", "-p", "hospital-files").code == 0
    assert (home / "out" / ct.name).exists()
    assert (home / "new" / f"{ct.name}.tgm").exists()


def test_open_into_a_folder_uses_the_name_that_was_sealed(
    home: Path, tegmen: Run, ct: Path
) -> None:
    tegmen("seal", ct, "-o", "nobody-knows.bin")
    assert tegmen("open", "nobody-knows.bin", "-o", "out/").code == 0
    assert (home / "out" / ct.name).read_bytes() == ct.read_bytes()


def test_what_is_restored_is_for_its_owner_alone(home: Path, tegmen: Run, ct: Path) -> None:
    tegmen("seal", ct, "-o", "sealed.dcm")
    tegmen("open", "sealed.dcm", "-o", "opened.dcm")
    assert (home / "opened.dcm").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "..", ".", "a\\b", "a\nb", "", "c:evil"])
def test_a_hostile_name_leaves_no_folder(
    home: Path,
    tegmen: Run,
    ct: Path,
    tmp_path: Path,
    name: str,
    tree: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tegmen.sealing._stored_name", lambda name: name)  # as a forger would
    Sealer.from_file("tegmen.toml").seal(ct.read_bytes(), "sealed", name=name)
    before = tree(tmp_path)
    ran = tegmen("open", "sealed", "-o", "out/")
    assert ran.code == 5
    assert "-o FILE" in ran.err
    assert tree(tmp_path) == before
    assert tegmen("open", "sealed", "-o", "mine").code == 0


def test_an_odd_but_harmless_name_survives(home: Path, tegmen: Run) -> None:
    (home / "naïve 画像 [red]x.bin").write_bytes(b"x" * 100)
    assert tegmen("seal", "naïve 画像 [red]x.bin", "-o", "s.tgm").code == 0
    ran = tegmen("open", "s.tgm", "-o", "out/")
    assert os.listdir(home / "out") == ["naïve 画像 [red]x.bin"]
    assert "[red]x" in ran.err


def test_a_decomposed_name_comes_back_composed(home: Path, tegmen: Run) -> None:
    decomposed = unicodedata.normalize("NFD", "é.bin")
    (home / decomposed).write_bytes(b"x")
    assert tegmen("seal", decomposed, "-o", "s.tgm").code == 0
    assert tegmen("open", "s.tgm", "-o", "out/").code == 0
    assert os.listdir(home / "out") == ["é.bin"]


def test_a_name_that_is_no_text_needs_another(home: Path, tegmen: Run) -> None:
    odd = os.fsdecode(b"\xff.bin")
    (home / odd).write_bytes(b"x")
    ran = tegmen("seal", odd, "-o", "s.tgm")
    assert ran.code == 3
    assert not (home / "s.tgm").exists()
    assert tegmen("seal", odd, "-o", "s.tgm", "--name", "x.bin").code == 0


def test_an_empty_file_comes_back(home: Path, tegmen: Run) -> None:
    (home / "empty").write_bytes(b"")
    assert tegmen("seal", "empty", "-o", "s.tgm").code == 0
    assert tegmen("open", "s.tgm", "-o", "o").code == 0
    assert (home / "o").read_bytes() == b""


# --------------------------------------------------------------------------- overwriting


def test_nothing_is_overwritten_without_force(home: Path, tegmen: Run, ct: Path) -> None:
    (home / "there").write_text("mine")
    assert tegmen("seal", ct, "-o", "there").code == 3
    assert (home / "there").read_text() == "mine"
    assert tegmen("seal", ct, "-o", "there", "--force").code == 0
    assert tegmen("open", "there", "-o", "o").code == 0


def test_a_source_is_never_replaced(home: Path, tegmen: Run, ct: Path) -> None:
    (home / "x.dcm").write_bytes(ct.read_bytes())
    (home / "link").symlink_to("x.dcm")
    for source, target in (("x.dcm", "x.dcm"), ("x.dcm", "./x.dcm"), ("link", "x.dcm")):
        ran = tegmen("seal", source, "-o", target, "--force")
        assert ran.code == 3
        assert "source" in ran.err
    assert (home / "x.dcm").read_bytes() == ct.read_bytes()
    assert tegmen("seal", "x.dcm", "y.dcm", "-o", ".", "--force").code == 6
    assert (home / "x.dcm").read_bytes() == ct.read_bytes()


def test_two_objects_of_one_name_never_become_one_file(home: Path, tegmen: Run) -> None:
    for folder in ("a", "b"):
        (home / folder).mkdir()
        (home / folder / "x.bin").write_bytes(folder.encode() * 50)
        tegmen("seal", f"{folder}/x.bin", "-o", f"{folder}.tgm")
    ran = tegmen("open", "a.tgm", "b.tgm", "-o", "out", "--force")
    assert ran.code == 6
    assert "just written" in ran.err
    assert (home / "out" / "x.bin").read_bytes() == b"a" * 50
    assert tegmen("open", "a.tgm", "b.tgm", "-o", "out", "--force").code == 6
    assert tegmen("open", "b.tgm", "-o", "out", "--force").code == 0


# --------------------------------------------------------------------------- folders


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_keeps_its_tree(
    home: Path, process: Run, study: Path, tree: Run, jobs: int
) -> None:
    before = tree(study)
    assert process("seal", "study", "-o", "sealed", "-j", jobs).code == 0
    sealed = tree(home / "sealed")
    assert set(sealed) == {
        "a.dcm",
        "series/b.dcm",
        "series/deep/c.png.tgm",
        "series/empty.txt.tgm",
    }
    assert process("open", "sealed", "-o", "opened", "-j", jobs).code == 0
    assert tree(home / "opened") == before == tree(study)


def test_two_folders_keep_their_names(home: Path, tegmen: Run, study: Path, ct: Path) -> None:
    (home / "other").mkdir()
    (home / "other" / "a.dcm").write_bytes(ct.read_bytes())
    assert tegmen("seal", "study", "other", str(ct), "-o", "out").code == 0
    assert {"study", "other", ct.name} == set(os.listdir(home / "out"))


def test_links_in_a_walked_folder_are_not_followed(
    home: Path, tegmen: Run, study: Path, tmp_path: Path, tree: Run
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "s.txt").write_text("secret")
    (study / "link").symlink_to(secret)
    (study / "file-link").symlink_to(secret / "s.txt")
    (study / "loop").symlink_to(study)
    os.mkfifo(study / "pipe")
    ran = tegmen("seal", "study", "-o", "out")
    assert ran.code == 0
    assert ran.err.count("skipped") == 4
    assert len(tree(home / "out")) == 4


def test_a_link_that_the_user_names_is_followed(
    home: Path, tegmen: Run, study: Path, tree: Run
) -> None:
    (home / "link").symlink_to("study")
    assert tegmen("seal", "link", "-o", "out").code == 0
    assert len(tree(home / "out")) == 4


@pytest.mark.parametrize("output", ["study", "study/sealed", "study/series/deep", "link/sealed"])
def test_an_output_inside_the_source_is_refused(
    home: Path, tegmen: Run, study: Path, tree: Run, output: str
) -> None:
    (home / "link").symlink_to("study")
    before = tree(study)
    ran = tegmen("seal", "study", "-o", output)
    assert ran.code == 2
    assert "inside" in ran.err
    assert tree(study) == before


def test_an_output_that_falls_back_into_the_source_is_refused(
    home: Path, tegmen: Run, study: Path, tree: Run
) -> None:
    (study / "study").mkdir()
    (study / "study" / "a.dcm").write_bytes(b"x")
    before = tree(study)
    assert tegmen("seal", "study", "-o", ".", "--force").code == 2
    assert tree(study) == before


def test_a_folder_without_files_is_an_error(home: Path, tegmen: Run) -> None:
    (home / "nothing" / "below").mkdir(parents=True)
    assert tegmen("seal", "nothing", "-o", "out").code == 3


def test_sources_of_one_name_are_refused_before_anything_is_done(
    home: Path, tegmen: Run, study: Path, ct: Path
) -> None:
    (home / ct.name).write_bytes(b"another")
    assert tegmen("seal", ct, ct.name, "-o", "out").code == 2
    assert not (home / "out").exists()


def test_several_need_a_folder(home: Path, tegmen: Run, study: Path, ct: Path) -> None:
    (home / "file").write_text("mine")
    assert tegmen("seal", "study", "-o", "file").code == 2
    assert tegmen("seal", "study", "-o", "-").code == 2
    assert (home / "file").read_text() == "mine"


def test_a_folder_deeper_than_the_stack_is_walked(home: Path, tegmen: Run) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.mkdir("deep")
        os.chdir("deep")
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        Path("f").write_text("x")
        os.fchdir(here)
        ran = tegmen("verify", "deep")
        assert ran.code == 3
        assert "no sealed object" in ran.err
    finally:
        os.fchdir(here)
        os.close(here)
        subprocess.run(["rm", "-rf", "deep"], check=True)  # deeper than shutil removes


# --------------------------------------------------------------------------- streams


def test_standard_input_and_output(home: Path, tegmen: Run, ct: Path) -> None:
    sealed = tegmen("seal", "-", "-o", "-", "--name", "ct.dcm", input=ct.read_bytes())
    assert sealed.code == 0
    assert tegmen("verify", "-", input=sealed.out).code == 0
    assert tegmen("inspect", "-", input=sealed.out).code == 0
    opened = tegmen("open", "-", "-o", "-", input=sealed.out)
    assert opened.out == ct.read_bytes()
    assert tegmen("open", "-", "-o", "out/", input=sealed.out).code == 0
    assert (home / "out" / "ct.dcm").read_bytes() == ct.read_bytes()


def test_the_name_of_standard_input_serves_the_rules(home: Path, tegmen: Run) -> None:
    ran = tegmen("explain", "-", "--name", "scan.png", "--json", input=b"x")
    assert ran.json["found"]["MediaType"] == "image/png"


def test_standard_input_into_a_folder_needs_a_name(home: Path, tegmen: Run, tree: Run) -> None:
    ran = tegmen("seal", "-", "-o", "out/", input=b"x")
    assert ran.code == 2
    assert "--name" in ran.err


def test_a_stream_stands_alone(home: Path, tegmen: Run, ct: Path) -> None:
    assert tegmen("seal", "-", ct, "-o", "out").code == 2
    assert tegmen("seal", "study", "-o", "out", "--name", "x").code in (2, 3)


def test_a_document_and_a_file_do_not_share_standard_output(
    home: Path, tegmen: Run, ct: Path
) -> None:
    ran = tegmen("seal", ct, "-o", "-", "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "UsageError"


# --------------------------------------------------------------------------- verify


def test_verify_writes_nothing(
    home: Path, tegmen: Run, study: Path, tmp_path: Path, tree: Run
) -> None:
    tegmen("seal", "study", "-o", "sealed")
    before = tree(tmp_path)
    ran = tegmen("verify", "sealed")
    assert ran.code == 0
    assert ran.text.count(": ok") == 4
    assert tree(tmp_path) == before


def test_warnings_are_told(home: Path, tegmen: Run, ct: Path) -> None:
    tegmen("seal", ct, "-o", "s.tgm", "-p", "hospital-files")
    damaged = bytearray((home / "s.tgm").read_bytes())
    at = damaged.index(b"hospital", 400)
    damaged[at] ^= 1
    (home / "s.tgm").write_bytes(damaged)
    ran = tegmen("verify", "s.tgm", "--json")
    assert ran.code == 0
    assert ran.json["warnings"]
    assert "warning" in ran.err
