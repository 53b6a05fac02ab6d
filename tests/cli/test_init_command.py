"""`tegmen init`: what it makes, what it refuses, what it says."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tegmen.cli.init import make, places_in
from tegmen.errors import OutputExists
from tegmen.profile import load

Run = Callable[..., Any]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_outside_dir_and_private(tmp_path: Path, tegmen: Run) -> None:
    folder = tmp_path / "hospital"
    assert tegmen("init", folder).code == 0
    assert sorted(os.listdir(folder)) == ["recovery-public.pem", "tegmen.toml"]
    keys, recovery = tmp_path / "hospital-keys", tmp_path / "hospital-recovery"
    assert mode(keys) == mode(recovery) == 0o700
    assert mode(keys / "store.key") == mode(recovery / "recovery-private.pem") == 0o600
    assert mode(keys / "store" / "keystore.json") == 0o600


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_it_is_loadable_under_any_umask(tmp_path: Path, tegmen: Run, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert tegmen("init", tmp_path / "hospital").code == 0
    finally:
        os.umask(before)
    load(tmp_path / "hospital" / "tegmen.toml")


def test_the_configuration_names_two_ways_to_open(home: Path) -> None:
    config = load(home / "tegmen.toml")
    assert {"hospital-default", "hospital-files", "teleradiology"} == set(config.profiles)
    for profile in config.profiles.values():
        assert {recipient.store for recipient in profile.recipients} == {"hospital", "recovery"}
    assert config.policy.floor.require_stores == ("recovery",)


def test_all_of_it_can_move(
    tmp_path: Path, home: Path, tegmen: Run, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tegmen("seal", ct, "-o", "sealed.dcm")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for folder in ("hospital", "hospital-keys", "hospital-recovery"):
        shutil.move(tmp_path / folder, moved)
    monkeypatch.chdir(moved / "hospital")
    assert tegmen("open", "sealed.dcm", "-o", "opened.dcm").code == 0


def test_sealing_goes_on_when_the_recovery_key_is_taken_away(
    tmp_path: Path, home: Path, tegmen: Run, ct: Path
) -> None:
    shutil.rmtree(tmp_path / "hospital-recovery")
    assert tegmen("seal", ct, "-o", "sealed.dcm").code == 0
    assert tegmen("open", "sealed.dcm", "-o", "opened.dcm").code == 0


def test_the_recovery_key_opens_alone(tmp_path: Path, home: Path, tegmen: Run, ct: Path) -> None:
    tegmen("seal", ct, "-o", "sealed.dcm")
    shutil.rmtree(tmp_path / "hospital-keys")
    ran = tegmen("open", "sealed.dcm", "-o", "opened.dcm", "--json")
    assert ran.json["keys"] == ["recovery/recovery@1"]
    assert (home / "opened.dcm").read_bytes() == ct.read_bytes()


def test_both_lost_is_final(tmp_path: Path, home: Path, tegmen: Run, ct: Path) -> None:
    tegmen("seal", ct, "-o", "sealed.dcm")
    shutil.rmtree(tmp_path / "hospital-keys")
    shutil.rmtree(tmp_path / "hospital-recovery")
    assert tegmen("open", "sealed.dcm", "-o", "opened.dcm").code == 4
    assert not (home / "opened.dcm").exists()


def test_it_says_what_losing_both_means(tmp_path: Path, tegmen: Run) -> None:
    ran = tegmen("init", tmp_path / "hospital")
    said = " ".join(ran.err.split())
    assert "If both are lost, every sealed image is lost for good" in said
    assert f"Move {tmp_path / 'hospital-recovery'}" in said
    assert ran.out == b""


def test_json_names_the_places(tmp_path: Path, tegmen: Run) -> None:
    ran = tegmen("init", tmp_path / "hospital", "--json", "-q")
    assert ran.json["keys"] == str(tmp_path / "hospital-keys")
    assert ran.err == ""


@pytest.mark.parametrize(
    "existing",
    ["hospital/tegmen.toml", "hospital/recovery-public.pem", "hospital-keys", "hospital-recovery"],
)
def test_nothing_that_exists_is_touched(
    tmp_path: Path, tegmen: Run, tree: Run, existing: str
) -> None:
    path = tmp_path / existing
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    ran = tegmen("init", tmp_path / "hospital")
    assert ran.code == 3
    assert tree(tmp_path) == {existing: b"mine"}


def test_a_second_run_changes_nothing(home: Path, tmp_path: Path, tegmen: Run, tree: Run) -> None:
    before = tree(tmp_path)
    assert tegmen("init", home).code == 3
    assert tree(tmp_path) == before


def test_keys_within_dir_are_refused(tmp_path: Path, tegmen: Run, tree: Run) -> None:
    folder = tmp_path / "hospital"
    assert tegmen("init", folder, "--keys", folder / "keys").code == 2
    assert tegmen("init", folder, "--recovery", folder / "deep" / "keys").code == 2
    assert tegmen("init", folder, "--keys", tmp_path / "x", "--recovery", tmp_path / "x").code == 2
    assert list(tmp_path.iterdir()) == []


def test_keys_within_dir_through_a_link_are_refused(tmp_path: Path, tegmen: Run) -> None:
    (tmp_path / "hospital").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "hospital")
    assert tegmen("init", tmp_path / "hospital", "--keys", tmp_path / "link" / "keys").code == 2


def test_chosen_places_are_used(
    tmp_path: Path, tegmen: Run, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hospital"
    folder.mkdir()
    monkeypatch.chdir(folder)
    odd = tmp_path / 'quote " and \\ backslash'
    assert tegmen("init", ".", "--keys", odd / "keys", "--recovery", tmp_path / "usb").code == 0
    assert (odd / "keys" / "store.key").exists()
    assert (tmp_path / "usb" / "recovery-private.pem").exists()
    assert tegmen("seal", ct, "-o", "sealed.dcm").code == 0


def test_a_folder_that_others_may_write_is_refused_and_left_as_it_was(
    tmp_path: Path, tegmen: Run
) -> None:
    folder = tmp_path / "hospital"
    folder.mkdir()
    folder.chmod(0o777)
    ran = tegmen("init", folder)
    assert ran.code == 4 or ran.code == 2
    assert "chmod" in ran.err
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == []


def test_a_failure_on_the_way_leaves_nothing(
    tmp_path: Path, tegmen: Run, tree: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tegmen.cli.init.load", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert tegmen("init", tmp_path / "hospital").code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_line_break_in_a_path_is_refused(tmp_path: Path, tegmen: Run) -> None:
    ran = tegmen("init", tmp_path / "hospital", "--keys", tmp_path / "x" / "a\nb")
    assert ran.code == 2
    assert not (tmp_path / "hospital").exists()


def test_the_root_folder_has_no_name(tegmen: Run) -> None:
    assert tegmen("init", "/").code == 2


def test_config_option_is_refused(tmp_path: Path, tegmen: Run) -> None:
    assert tegmen("init", tmp_path / "hospital", "-c", "x.toml").code == 2


def test_make_refuses_what_exists(tmp_path: Path) -> None:
    places = places_in(str(tmp_path / "hospital"))
    make(places)
    with pytest.raises(OutputExists):
        make(places)
