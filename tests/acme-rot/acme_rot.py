"""A cipher that protects nothing, and shows how little a plugin for tegmen is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from tegmen import hookimpl
from tegmen.interfaces import Buffer, Cipher, CipherInfo, Offer, SegmentCipher


class RotatedSegments:
    """Adds key and nonce to the data, byte by byte, modulo 256."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, _associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        return self._rotate(1, nonce, data, buf)

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, _associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        return self._rotate(-1, nonce, data, buf)

    def _rotate(self, sign: int, nonce: Buffer, data: Buffer, buf: Buffer) -> int:
        steps = [sign * sum(pair) for pair in zip(self._key, cycle(nonce))]
        rotated = bytes((byte + step) % 256 for byte, step in zip(data, cycle(steps)))
        memoryview(buf)[:] = rotated
        return len(rotated)


class AcmeRot:
    """Without a tag, so the core adds a MAC: nobody alters it unnoticed, everybody reads it."""

    info = CipherInfo(
        name="acme-rot",
        tier="research",
        key_size=32,
        nonce_size=12,
        tag_size=0,
        memory_factor=2.0,
        source="Suetonius, Life of Julius Caesar, 56",
        worth="Nothing: anyone who knows 32 bytes of an object reads all of it.",
    )

    def ciphertext_length(self, length: int, /) -> int:
        return length

    def start(self, key: bytes, /) -> SegmentCipher:
        return RotatedSegments(key)


@hookimpl
def tegmen_ciphers() -> Sequence[Offer[Cipher]]:
    return [Offer("acme-rot", lambda _options, _folder: AcmeRot())]
