"""`tegmen inspect`, `explain`, `plugins` and `doctor`: looking changes nothing, and says enough."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def sealed(home: Path, tegmen: Run, ct: Path) -> Path:
    declared = ("--declare", "purpose=teleradiology", "--context", "case=7")
    assert tegmen("seal", ct, "-o", "sealed.dcm", *declared).code == 0
    return home / "sealed.dcm"


# --------------------------------------------------------------------------- inspect


def test_inspect_needs_no_key_and_no_configuration(
    sealed: Path, tegmen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "hospital-keys")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    ran = tegmen("inspect", sealed)
    assert ran.code == 0
    assert ran.text.startswith("UNVERIFIED")
    assert "teleradiology" in ran.text
    assert "case" in ran.text


def test_inspect_as_a_document(sealed: Path, tegmen: Run) -> None:
    found = tegmen("inspect", sealed, "--json").json
    assert found["verified"] is False
    assert found["required"] == ["case"]
    assert found["cipher"] == "aes-256-gcm"
    assert len(found["slots"]) == 2


def test_inspect_tells_nothing_of_the_patient(sealed: Path, tegmen: Run, ct: Path) -> None:
    assert b"CompressedSamples" in ct.read_bytes()
    ran = tegmen("inspect", sealed)
    assert "CompressedSamples" not in ran.text
    assert ct.name not in ran.text.replace(str(sealed), "")


def test_inspect_loads_only_what_the_configuration_allows(sealed: Path, tegmen: Run) -> None:
    config = sealed.parent / "tegmen.toml"
    config.write_text(config.read_text().replace('"tegmen_dicom", ', ""))
    assert tegmen("inspect", sealed).code in (2, 3)


def test_a_line_that_hides_nothing_at_its_end(sealed: Path, tegmen: Run) -> None:
    assert not any(line != line.rstrip() for line in tegmen("inspect", sealed).text.splitlines())


# --------------------------------------------------------------------------- explain


def test_explain_says_which_rule_and_why_not_the_others(
    home: Path, tegmen: Run, ct: Path, tmp_path: Path, tree: Run
) -> None:
    before = tree(tmp_path)
    ran = tegmen("explain", ct)
    assert ran.code == 0
    assert f"{ct}: profile hospital-default, chosen by rule dicom" in ran.text
    assert "purpose was not declared" in ran.text
    assert tree(tmp_path) == before


def test_explain_as_a_document(home: Path, tegmen: Run, ct: Path) -> None:
    found = tegmen("explain", ct, "--declare", "purpose=teleradiology", "--json").json
    assert (found["rule"], found["profile"]) == ("sent-to-a-reader", "teleradiology")
    assert found["context"] == ["case"]
    assert found["found"]["Modality"] == "CT"
    assert found["steps"] == [{"rule": "sent-to-a-reader", "matched": True, "why": ""}]


def test_explain_a_named_profile(home: Path, tegmen: Run, ct: Path) -> None:
    ran = tegmen("explain", ct, "-p", "hospital-files")
    assert "named by you" in ran.text


def test_explain_shows_the_way_to_a_refusal(home: Path, tegmen: Run, ct: Path) -> None:
    config = home / "tegmen.toml"
    config.write_text(config.read_text().replace('use = "hospital-default"', 'deny = "not today"'))
    ran = tegmen("explain", ct)
    assert ran.code == 2
    assert "not today" in ran.err
    assert "purpose was not declared" in ran.text
    assert "Modality" in ran.text


# --------------------------------------------------------------------------- plugins


def test_plugins_lists_what_is_installed(
    tmp_path: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = tegmen("plugins", "--json").json
    names = {(entry["group"], entry["name"]) for entry in found}
    assert {("ciphers", "aes-256-gcm"), ("keystores", "file"), ("carriers", "tgm")} <= names
    assert "aes-256-gcm" in tegmen("plugins").text


def test_plugins_marks_what_the_configuration_leaves_out(home: Path, tegmen: Run) -> None:
    config = home / "tegmen.toml"
    config.write_text(config.read_text().replace('"tegmen_aead", ', ""))
    found = {entry["name"]: entry["problem"] for entry in tegmen("plugins", "--json").json}
    assert "allow-list" in found["aes-256-gcm"]
    assert found["tgm"] is None


# --------------------------------------------------------------------------- doctor


def verdicts(ran: Any) -> dict[str, str]:
    return {check["subject"]: check["verdict"] for check in ran.json}


def test_a_healthy_installation(home: Path, tegmen: Run, tmp_path: Path, tree: Run) -> None:
    before = tree(tmp_path)
    ran = tegmen("doctor", "--json")
    assert ran.code == 0
    assert set(verdicts(ran).values()) == {"ok"}
    assert {"store hospital", "key hospital/images", "key recovery/recovery"} <= set(verdicts(ran))
    assert tree(tmp_path) == before


def test_a_recovery_key_that_was_taken_away_is_healthy(
    home: Path, tegmen: Run, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "hospital-recovery")
    ran = tegmen("doctor")
    assert ran.code == 0
    assert "does not open from here" in ran.text


def test_no_configuration(tmp_path: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = tegmen("doctor", "--json")
    assert ran.code == 1
    assert verdicts(ran)["configuration"] == "failed"
    assert "plugins" in verdicts(ran)


def test_a_store_that_is_gone(home: Path, tegmen: Run, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "hospital-keys")
    ran = tegmen("doctor", "--json")
    assert ran.code == 4
    assert verdicts(ran)["store hospital"] == "failed"
    assert verdicts(ran)["key recovery/recovery"] == "ok"


def test_a_key_that_is_disabled(home: Path, tegmen: Run) -> None:
    tegmen("keys", "disable", "hospital/images")
    ran = tegmen("doctor", "--json")
    assert ran.code == 4
    assert verdicts(ran)["key hospital/images"] == "failed"


def test_keys_that_others_may_read(home: Path, tegmen: Run, tmp_path: Path) -> None:
    (tmp_path / "hospital-keys" / "store.key").chmod(0o644)
    ran = tegmen("doctor")
    assert ran.code == 4
    assert "chmod 600" in ran.text


def test_a_plugin_that_a_profile_needs_is_missing(home: Path, tegmen: Run) -> None:
    config = home / "tegmen.toml"
    config.write_text(config.read_text().replace('carrier = "tgm"', 'carrier = "tmg"'))
    ran = tegmen("doctor", "--json")
    assert ran.code == 1
    assert verdicts(ran)["profile hospital-files"] == "failed"


def test_a_profile_that_policy_never_lets_seal(home: Path, tegmen: Run) -> None:
    config = home / "tegmen.toml"
    config.write_text(
        config.read_text().replace(
            '"hospital/images", "recovery/recovery"]', '"hospital/images"]', 1
        )
    )
    ran = tegmen("doctor", "--json")
    assert verdicts(ran)["profile hospital-default"] == "warning"


def test_a_store_that_returns_another_key(
    home: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tegmen_file.store import FileStore

    monkeypatch.setattr(FileStore, "unwrap", lambda *_: bytes(32))
    ran = tegmen("doctor", "--json")
    assert ran.code == 4
    assert verdicts(ran)["key hospital/images"] == "failed"
