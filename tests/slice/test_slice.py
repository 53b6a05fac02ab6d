"""A vendor's slice of tegmen holds what it lists and nothing else, and does the main job."""

from __future__ import annotations

from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

import tegmen_file
from tegmen import Registry, Sealer, WrongKey

CONFIG = """
version = 1

[plugins]
allow = ["tegmen_aead", "tegmen_file", "tegmen_image"]

[stores.local]
kind = "file"
path = "keys"
key-file = "root.key"

[profiles.viewer]
cipher = "aes-256-gcm"
carrier = "tgm"
recipients = ["local/images"]

[[rules]]
name = "everything"
use = "viewer"
"""


def site(folder: Path) -> Sealer:
    """A sealer with keys of its own."""
    folder.mkdir()
    store = tegmen_file.create_store(folder / "keys", key_file=folder / "root.key")
    store.create("images")
    (folder / "tegmen.toml").write_text(CONFIG)
    return Sealer.from_file(folder / "tegmen.toml")


def test_it_is_the_slice() -> None:
    assert distribution("tegmen").version.endswith("+acme.1")
    assert find_spec("tegmen_dicom") is None


def test_it_offers_what_it_lists() -> None:
    listing = Registry().listing(load=True)
    assert {(entry.group, entry.name) for entry in listing} == {
        ("ciphers", "aes-256-gcm"),
        ("keystores", "file"),
        ("sources", "file"),
        ("carriers", "tgm"),
    }
    assert [entry.problem for entry in listing] == [None] * len(listing)


def test_it_seals_and_opens(tmp_path: Path) -> None:
    original, sealed, opened = (tmp_path / name for name in ("scan", "scan.tgm", "opened"))
    original.write_bytes(bytes(range(256)) * 10_000)
    sealer = site(tmp_path / "here")
    sealer.seal(original, sealed)
    sealer.open(sealed, opened)
    assert opened.read_bytes() == original.read_bytes()
    with pytest.raises(WrongKey):
        site(tmp_path / "elsewhere").open(sealed, tmp_path / "never")
    assert not (tmp_path / "never").exists()
