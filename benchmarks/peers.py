"""What tegmen is measured beside in memory: the raw cipher, and Tink's envelope encryption."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from attrs import frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.programs import tink_module

SEGMENT = 1 << 20


class RawGcm:
    """`AESGCM.encrypt_into` and nothing else, over segments, into one buffer used again."""

    def __init__(self, pieces: Sequence[memoryview]) -> None:
        """
        Args:
            pieces: one for each segment.
        """
        self._gcm = AESGCM(os.urandom(32))
        target = memoryview(bytearray(sum(len(piece) + 16 for piece in pieces)))
        plain = memoryview(bytearray(max(len(piece) for piece in pieces)))
        self._steps: list[tuple[bytes, memoryview, bytes, memoryview, memoryview]] = []
        offset = 0
        for number, piece in enumerate(pieces):
            closed = target[offset : offset + len(piece) + 16]
            nonce, associated_data = number.to_bytes(12, "big"), number.to_bytes(21, "big")
            self._steps.append((nonce, piece, associated_data, closed, plain[: len(piece)]))
            offset += len(closed)

    def seal(self) -> None:
        for nonce, piece, associated_data, closed, _ in self._steps:
            self._gcm.encrypt_into(nonce, piece, associated_data, closed)

    def open(self) -> None:
        for nonce, _, associated_data, closed, plain in self._steps:
            self._gcm.decrypt_into(nonce, closed, associated_data, plain)

    def works(self) -> bool:
        """Whether it gives back what it encrypted."""
        self.seal()
        self.open()
        _, piece, _, _, plain = self._steps[-1]
        return plain == piece


def segments(data: bytes, size: int = SEGMENT) -> list[memoryview]:
    """`data` in pieces of `size` bytes."""
    view = memoryview(data)
    return [view[start : start + size] for start in range(0, len(view), size)]


@frozen
class Envelope:
    """Tink's envelope encryption in memory: a fresh data key, wrapped by a key held here."""

    encrypt: Callable[[bytes, bytes], bytes]
    decrypt: Callable[[bytes, bytes], bytes]
    name: str = "Tink KmsEnvelopeAead"


def envelope() -> Envelope:
    """Raises NotMeasured when Tink is not installed."""
    module, aead = tink_module("tink"), tink_module("tink.aead")
    aead.register()
    template = aead.aead_key_templates.AES256_GCM
    wrapping = module.new_keyset_handle(template).primitive(aead.Aead)
    primitive = aead.KmsEnvelopeAead(template, wrapping)
    return Envelope(primitive.encrypt, primitive.decrypt)
