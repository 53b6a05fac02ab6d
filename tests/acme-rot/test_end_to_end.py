"""What a stranger's cipher seals opens again, under the rules that hold for every cipher."""

from __future__ import annotations

from pathlib import Path

import pytest

import tegmen_file
from tegmen import (
    IntegrityError,
    PluginError,
    PolicyRefused,
    Registry,
    Sealer,
)

CONFIG = """
version = 1

[stores.local]
kind = "file"
path = "keys"
key-file = "root.key"

[profiles.toy]
cipher = "acme-rot"
carrier = "tgm"
recipients = ["local/images"]

[[rules]]
name = "experiment"
use = "toy"
tier = "research"
"""
ALLOW_LIST = """
[plugins]
allow = [
    "tegmen_aead",
    "tegmen_file",
    "tegmen_image",
    { module = "acme_rot", distribution = "acme-rot" },
]
"""
PLAINTEXT = b"not a patient's image " * 1000


@pytest.fixture
def config(tmp_path: Path) -> Path:
    store = tegmen_file.create_store(tmp_path / "keys", key_file=tmp_path / "root.key")
    store.create("images")
    path = tmp_path / "tegmen.toml"
    path.write_text(CONFIG)
    return path


def sealed_with(config: Path) -> bytes:
    sealer = Sealer.from_file(config)
    target = bytearray(sealer.sealed_size(PLAINTEXT))
    assert sealer.seal(PLAINTEXT, target).cipher == "acme-rot"
    return bytes(target)


def test_it_is_found_by_its_entry_point() -> None:
    (listed,) = (entry for entry in Registry().listing(load=True) if entry.name == "acme-rot")
    assert (listed.distribution, listed.module, listed.problem) == ("acme-rot", "acme_rot", None)


def test_what_it_seals_opens_again(config: Path, tmp_path: Path) -> None:
    (tmp_path / "sealed").write_bytes(sealed_with(config))
    Sealer.from_file(config).open(tmp_path / "sealed", tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == PLAINTEXT


def test_the_core_notices_what_the_cipher_cannot(config: Path) -> None:
    sealed = bytearray(sealed_with(config))
    sealed[-1000] ^= 1
    with pytest.raises(IntegrityError):
        Sealer.from_file(config).verify(sealed)


def test_a_rule_must_ask_for_research(config: Path) -> None:
    config.write_text(CONFIG.replace('tier = "research"\n', ""))
    with pytest.raises(PolicyRefused, match="research"):
        sealed_with(config)


def test_the_allow_list_knows_whose_it_is(config: Path) -> None:
    config.write_text(CONFIG + ALLOW_LIST)
    sealed_with(config)
    config.write_text(CONFIG + ALLOW_LIST.replace("acme-rot", "somebody-else"))
    with pytest.raises(PluginError, match="acme-rot"):
        sealed_with(config)
