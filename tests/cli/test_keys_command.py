"""`tegmen keys`: each thing that can be done to a key, and what the store says of it after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tegmen import Sealer
from tegmen.interfaces import KeyStore

Run = Callable[..., Any]


def shown(tegmen: Run, key: str = "hospital/images") -> Any:
    ran = tegmen("keys", "show", key, "--json")
    assert ran.code == 0
    return ran.json


def test_list_names_every_key_of_every_store(home: Path, tegmen: Run) -> None:
    ran = tegmen("keys", "list", "--json")
    assert [entry["key"] for entry in ran.json] == ["hospital/images", "recovery/recovery"]
    assert "hospital/images" in tegmen("keys", "list").text
    assert "recovery" not in tegmen("keys", "list", "hospital").text


def test_show_tells_who_seals_for_it(home: Path, tegmen: Run) -> None:
    assert shown(tegmen)["profiles"] == ["hospital-default", "hospital-files", "teleradiology"]
    assert "hmac-sha-256" in tegmen("keys", "show", "hospital/images").text


def test_create_then_show(home: Path, tegmen: Run) -> None:
    assert tegmen("keys", "create", "hospital/research").code == 0
    assert shown(tegmen, "hospital/research")["state"] == "enabled"
    assert tegmen("keys", "create", "hospital/research").code == 4


def test_rotate_seals_with_the_new_version_and_opens_old_ones(
    home: Path, tegmen: Run, ct: Path
) -> None:
    tegmen("seal", ct, "-o", "old.dcm")
    ran = tegmen("keys", "rotate", "hospital/images")
    assert "out of date" in ran.err
    assert "hospital/images@2" in tegmen("seal", ct, "-o", "new.dcm", "--json").json["keys"]
    assert tegmen("verify", "old.dcm", "new.dcm").code == 0


def test_disable_and_enable_one_version(home: Path, tegmen: Run, ct: Path) -> None:
    tegmen("keys", "rotate", "hospital/images")
    assert tegmen("keys", "disable", "hospital/images", "--version", "1").code == 0
    assert shown(tegmen)["versions"] == [["1", "disabled"], ["2", "enabled"]]
    assert tegmen("keys", "enable", "hospital/images", "--version", "1").code == 0
    assert shown(tegmen)["versions"] == [["1", "enabled"], ["2", "enabled"]]


def test_disabling_says_which_profiles_stop(home: Path, tegmen: Run) -> None:
    ran = tegmen("keys", "disable", "hospital/images")
    assert "nothing can be sealed now with hospital-default, hospital-files" in ran.err


def test_destroy_needs_the_right_check_value(home: Path, tegmen: Run) -> None:
    value = shown(tegmen)["check_value"]
    other = ("00" if not value.startswith("00") else "11") + value[2:]
    assert tegmen("keys", "destroy", "hospital/images", "--check-value", other).code == 4
    assert tegmen("keys", "destroy", "hospital/images", "--check-value", "xyz").code == 2
    assert shown(tegmen)["state"] == "enabled"
    ran = tegmen("keys", "destroy", "hospital/images", "--check-value", value)
    assert ran.code == 0
    assert "backups may still hold it" in ran.err
    assert shown(tegmen)["state"] == "destroyed"


def test_destroy_asks_nobody_where_nobody_is(home: Path, tegmen: Run) -> None:
    ran = tegmen("keys", "destroy", "hospital/images", input=b"hospital/images\n")
    assert ran.code == 2
    assert shown(tegmen)["state"] == "enabled"


def test_backup_and_restore(home: Path, tegmen: Run, tmp_path: Path, ct: Path) -> None:
    tegmen("seal", ct, "-o", "sealed.dcm")
    ran = tegmen("keys", "backup", "hospital", "-o", tmp_path / "b", "--json")
    assert ran.json["keys"] == ["hospital/images"]
    assert tegmen("keys", "backup", "hospital", "-o", tmp_path / "b").code == 3
    assert "nothing was missing" in tegmen("keys", "restore", "hospital", tmp_path / "b").err
    store = tmp_path / "hospital-keys" / "store" / "keystore.json"
    (tmp_path / "b").replace(store)
    assert tegmen("open", "sealed.dcm", "-o", "opened.dcm").code == 0
    store.write_text("{}")
    assert tegmen("keys", "list", "hospital").code == 4


@pytest.mark.parametrize(
    "arguments", [["rotate"], ["create"], ["disable"], ["enable"], ["destroy", "--check-value=00"]]
)
def test_what_a_store_cannot_do_is_said(home: Path, tegmen: Run, arguments: list[str]) -> None:
    command, *more = arguments
    ran = tegmen("keys", command, "recovery/recovery", *more)
    assert ran.code == 2
    assert "of kind recovery, cannot" in ran.err


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_store_without_backups(home: Path, tegmen: Run, command: str) -> None:
    arguments = ["-o", "x"] if command == "backup" else ["x"]
    assert tegmen("keys", command, "recovery", *arguments).code == 2


def test_an_unknown_store_or_key(home: Path, tegmen: Run) -> None:
    assert tegmen("keys", "list", "hopsital").code == 2
    assert tegmen("keys", "show", "hopsital/images").code == 2
    assert tegmen("keys", "show", "hospital/imges").code == 4


class Plain:
    """A store that can do nothing but what every store can."""

    kind = "plain"

    def __init__(self, store: KeyStore) -> None:
        self.describe, self.wrap, self.unwrap = store.describe, store.wrap, store.unwrap


def test_keys_of_a_store_that_cannot_list_are_those_that_profiles_name(
    home: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Sealer.store
    monkeypatch.setattr(Sealer, "store", lambda self, alias: Plain(find(self, alias)))
    tegmen("keys", "list")
    ran = tegmen("keys", "list", "--json")
    assert [entry["key"] for entry in ran.json] == ["hospital/images", "recovery/recovery"]
    assert tegmen("keys", "rotate", "hospital/images").code == 2


@pytest.mark.parametrize("command", ["create", "rotate", "disable", "enable"])
def test_a_document_for_every_change(home: Path, tegmen: Run, command: str) -> None:
    key = "hospital/new" if command == "create" else "hospital/images"
    ran = tegmen("keys", command, key, "--json", "-q")
    assert ran.json["key"] == key
    assert ran.err == ""
