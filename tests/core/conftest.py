"""A sealer over in-memory key stores, for tests of the core that need no extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tegmen import MemorySink, Registry, Sealer
from tegmen.interfaces import KeyStore
from tegmen.profile import loads
from tegmen.testing.hostile_keystores import MemoryKeyStore

CONFIG = """
version = 1
sources = ["file"]

[stores.local]
kind = "memory"
[stores.recovery]
kind = "memory"

[profiles.plain]
cipher = "aes-256-gcm"
carrier = "tgm"
recipients = ["local/images", "recovery/recovery"]
segment-size = 4096

[profiles.bound]
cipher = "chacha20-poly1305"
carrier = "tgm"
recipients = ["local/images"]
context = ["trust"]
public = { site = "north" }

[profiles.trusting]
cipher = "aes-256-gcm"
carrier = "tgm"
recipients = ["local/images"]
verify = false

[[rules]]
name = "bound-by-declaration"
declared = { purpose = "teleradiology" }
use = "bound"

[[rules]]
name = "everything-else"
use = "plain"
"""


class MemoryRegistry(Registry):
    """The installed plugins, and key stores handed in by the test under the kind `memory`."""

    def __init__(self, stores: Mapping[str, KeyStore]) -> None:
        super().__init__()
        self.stores = dict(stores)

    def keystore(self, kind: str, options: Mapping[str, Any] | None, base: Path) -> KeyStore:
        return self.stores[str((options or {})["name"])]


@pytest.fixture
def stores() -> dict[str, KeyStore]:
    return {"local": MemoryKeyStore("images"), "recovery": MemoryKeyStore("recovery")}


@pytest.fixture
def audit() -> MemorySink:
    return MemorySink()


@pytest.fixture
def make_sealer(
    stores: dict[str, KeyStore], audit: MemorySink, tmp_path: Path
) -> Callable[..., Sealer]:
    """Makes a sealer; `changes` replaces text of the configuration above."""

    def make(changes: Mapping[str, str] | None = None) -> Sealer:
        text = CONFIG
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        for alias in stores:
            text = text.replace(f"[stores.{alias}]\n", f'[stores.{alias}]\nname = "{alias}"\n')
        return Sealer(loads(text, tmp_path), MemoryRegistry(stores), audit=[audit])

    return make


@pytest.fixture
def sealer(make_sealer: Callable[..., Sealer]) -> Sealer:
    return make_sealer()
