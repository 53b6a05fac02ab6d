"""docs/format.md read by a second implementation, which shares no line with the first.

It uses the standard library, cbor2 and AES-GCM alone, so what it opens is what the page says.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from tegmen import Sealer
from tegmen.interfaces import KeyStore
from tegmen.testing.hostile_keystores import MemoryKeyStore

AEADS = {"aes-256-gcm": AESGCM, "chacha20-poly1305": ChaCha20Poly1305}


def number(size: int, value: int) -> bytes:
    return value.to_bytes(size, "big")


class SecondReader:
    """Reads a sealed stream as docs/format.md describes it."""

    def __init__(self, raw: bytes) -> None:
        assert raw[:8] == bytes.fromhex("8954474D0D0A1A0A")
        assert raw[8:12] == bytes(4)
        end = 16 + int.from_bytes(raw[12:16], "big")
        self.raw, self.core = raw, cbor2.loads(raw[16:end])
        self.h = hashlib.sha256(raw[:end]).digest()
        self.check = raw[end : end + 100]
        capacity = int.from_bytes(self.check[96:], "big")
        self.zones = []
        at = end + 100
        for _ in range(2):
            self.zones.append(raw[at : at + 12 + capacity + 40])
            at += 12 + capacity + 40
        self.manifest_at = at

    def slots(self, zone: int = 0) -> Any:
        used = int.from_bytes(self.zones[zone][8:12], "big")
        return cbor2.loads(self.zones[zone][12 : 12 + used])

    def derive(self, label: bytes, extra: bytes = b"", size: int = 32) -> bytes:
        info = b"tegmen/0 " + label + b"\0" + extra + b"\1"
        return hmac.digest(self.prk, info, "sha256")[:size]

    def unlock(self, data_key: bytes, context: dict[str, Any]) -> None:
        self.prk = hmac.digest(self.core[9], data_key, "sha256")
        self.x = hashlib.sha256(cbor2.dumps(context, canonical=True)).digest()
        assert self.check[:32] == self.derive(b"commit")
        assert self.check[32:64] == self.derive(b"core", self.h)
        assert self.check[64:96] == self.derive(b"context", self.h + self.x)
        for zone in self.zones:
            covered = self.h + self.check[96:] + zone[:-32]
            assert zone[-32:] == hmac.digest(self.derive(b"slots"), covered, "sha256")
            assert zone[-40:-32] == hashlib.sha256(zone[:-40]).digest()[:8]

    def manifest(self) -> Any:
        size = self.core[15]
        sealed = self.raw[self.manifest_at : self.manifest_at + size]
        plain = self.segment(AESGCM(self.derive(b"manifest")), 0, 0, True, sealed)
        length = int.from_bytes(plain[:4], "big")
        assert len(plain) % 256 == 0
        assert not any(plain[4 + length :])
        return cbor2.loads(plain[4 : 4 + length])

    @staticmethod
    def segment(aead: Any, part: int, segment: int, final: bool, sealed: bytes) -> bytes:
        nonce = number(1, final) + bytes(3) + number(8, segment)
        length = number(8, len(sealed) - 16)
        data = number(4, part) + number(8, segment) + number(1, final) + length
        return bytes(aead.decrypt(nonce, sealed, data))

    def part(self, index: int) -> bytes:
        """A part of an object with inline tags, padding included."""
        (name,) = self.core[0]
        label = self.h + self.x + b"\0" + number(1, len(name)) + name.encode() + number(4, index)
        aead = AEADS[name](self.derive(b"cipher", label))
        runs = iter(self.core[8])
        lengths = [length for count in runs for length in [next(runs)] * count]
        at = self.manifest_at + self.core[15]
        size = self.core[5]
        for length in lengths[: index - 1]:
            at += length + 16 * max(1, -(-length // size))
        out, left = b"", lengths[index - 1]
        segments = max(1, -(-left // size))
        for segment in range(segments):
            take = min(size, left)
            sealed = self.raw[at : at + take + 16]
            out += self.segment(aead, index, segment, segment == segments - 1, sealed)
            at, left = at + take + 16, left - take
        assert index != len(lengths) or at == len(self.raw)
        return out


@pytest.mark.parametrize("size", [0, 1, 4096, 12_288, 50_001])
@pytest.mark.parametrize(
    ("profile", "context"), [("plain", {}), ("bound", {"trust": "north", "a": "ä"})]
)
def test_a_second_reader_opens_what_was_sealed(
    make_sealer: Callable[..., Sealer],
    stores: dict[str, KeyStore],
    size: int,
    profile: str,
    context: dict[str, str],
) -> None:
    image = os.urandom(size)
    sealer = make_sealer({'["trust"]': '["trust", "a"]'})
    target = io.BytesIO()
    sealer.seal(image, target, profile=profile, context=context, name="scan.png")
    reader = SecondReader(target.getvalue())
    assert reader.slots(0) == reader.slots(1)
    slot = reader.slots()[0]
    assert (slot[0], slot[1], slot[2], slot[3], len(slot)) == (0, "memory", "local", "images", 9)
    assert len(reader.core) == 16
    assert reader.core[11] == (["site", "north"] if context else None)
    assert reader.core[12] == (sorted(context) or None)
    store = stores["local"]
    assert isinstance(store, MemoryKeyStore)
    data_key = store._aead("images").decrypt(slot[8][:12], slot[8][12:], reader.core[10])
    reader.unlock(data_key, context)
    items, lengths, note = reader.manifest()
    assert items == [["scan.png", "image/png", "file", b"", [1, 2]]]
    assert (lengths, note) == ([1, size], b"")
    assert reader.part(1) == image
