"""The first key store is gone: the private key from the safe opens what was sealed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import tegmen_file
from tegmen import Sealer
from tegmen.errors import CannotUnwrap
from tegmen_recovery import RecoveryOptions, make_store

CONFIG = """
version = 1

[stores.local]
kind = "file"
path = "keys"
key-file = "root.key"

[stores.recovery]
kind = "recovery"
public-key = "recovery-public.pem"
check-value = "{check}"
#private-key = "safe/recovery-private.pem"

[profiles.archive]
cipher = "aes-256-gcm"
carrier = "tgm"
recipients = ["local/images", "recovery/recovery"]

[[rules]]
name = "everything"
use = "archive"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A site whose private recovery key lies in the safe."""
    options = RecoveryOptions(
        Path("recovery-public.pem"), private_key=Path("safe/recovery-private.pem")
    )
    store = make_store(options, tmp_path)
    store.initialise()
    tegmen_file.create_store(tmp_path / "keys", key_file=tmp_path / "root.key").create("images")
    path = tmp_path / "tegmen.toml"
    path.write_text(CONFIG.format(check=store.describe("recovery").check_value.hex()))
    return path


def test_the_safe_opens_what_the_first_store_no_longer_can(config: Path, tmp_path: Path) -> None:
    image = os.urandom(5000)
    Sealer.from_file(config).seal(image, tmp_path / "sealed.tgm")
    shutil.rmtree(tmp_path / "keys")
    with pytest.raises(CannotUnwrap, match="recovery key"):
        Sealer.from_file(config).open(tmp_path / "sealed.tgm", tmp_path / "opened")
    config.write_text(config.read_text().replace("#private-key", "private-key"))
    Sealer.from_file(config).open(tmp_path / "sealed.tgm", tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == image
