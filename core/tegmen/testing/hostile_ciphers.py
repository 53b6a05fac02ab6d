"""Ciphers that are each wrong in one way, to see that a contract or a caller notices."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import time
from typing import ClassVar, NamedTuple

from attrs import evolve, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tegmen.interfaces import Buffer, CipherInfo, SegmentCipher


class Call(NamedTuple):
    """The arguments of `encrypt_into` or `decrypt_into`."""

    nonce: Buffer
    data: Buffer
    associated_data: Buffer | None
    buf: Buffer


class HostileCipher:
    """AES-256-GCM without a fault; each subclass adds one."""

    info: ClassVar[CipherInfo] = CipherInfo(
        name="hostile",
        tier="research",
        key_size=32,
        nonce_size=12,
        tag_size=16,
        memory_factor=0.0,
        source="NIST SP 800-38D, with a fault",
        worth="Nothing: it is wrong on purpose.",
    )

    def ciphertext_length(self, length: int, /) -> int:
        return length

    def start(self, key: bytes, /) -> SegmentCipher:
        return _Segments(self, AESGCM(key))

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.encrypt_into(*call)

    def decrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.decrypt_into(*call)


@frozen
class _Segments:
    cipher: HostileCipher
    honest: SegmentCipher

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        return self.cipher.encrypt(self.honest, Call(nonce, data, associated_data, buf))

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        return self.cipher.decrypt(self.honest, Call(nonce, data, associated_data, buf))


class LyingCipher(HostileCipher):
    """Declares a tag and does not look at it."""

    def decrypt(self, honest: SegmentCipher, call: Call) -> int:
        try:
            return honest.decrypt_into(*call)
        except InvalidTag:
            return len(call.buf)


class DeafCipher(HostileCipher):
    """Does not authenticate the associated data."""

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.encrypt_into(*call._replace(associated_data=None))

    def decrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.decrypt_into(*call._replace(associated_data=None))


class OneNonceCipher(HostileCipher):
    """Uses one nonce for every segment."""

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.encrypt_into(*call._replace(nonce=bytes(12)))

    def decrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.decrypt_into(*call._replace(nonce=bytes(12)))


class OneKeyCipher(HostileCipher):
    """Uses one key for every object."""

    def start(self, _key: bytes, /) -> SegmentCipher:
        return super().start(bytes(32))


class MiscountingCipher(HostileCipher):
    """Returns less than it wrote."""

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.encrypt_into(*call) - 1


class UndeclaringCipher(HostileCipher):
    """Needs one byte more than it declares for plaintext that fills its blocks."""

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        written = honest.encrypt_into(*call)
        return written + (written > 16 and written % 16 == 0)


class DestructiveCipher(HostileCipher):
    """Encrypts, and leaves zeros where the plaintext was."""

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        written = honest.encrypt_into(*call)
        plaintext = memoryview(call.data)
        if not plaintext.readonly:
            plaintext[:] = bytes(len(plaintext))
        return written


class CountingCipher(HostileCipher):
    """Makes its nonce from a counter of its own, which starts again in every process."""

    def __init__(self) -> None:
        self._counter = itertools.count()

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        nonce = next(self._counter).to_bytes(12, "big")
        return honest.encrypt_into(*call._replace(nonce=nonce))

    def decrypt(self, honest: SegmentCipher, call: Call) -> int:
        return len(call.buf)


class UnsafeCipher(HostileCipher):
    """Keeps the nonce where another thread may overwrite it."""

    def __init__(self) -> None:
        self._nonce: Buffer = b""

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        self._nonce = call.nonce
        time.sleep(0.0005)
        return honest.encrypt_into(*call._replace(nonce=self._nonce))


class HungryCipher(HostileCipher):
    """Works on copies that it did not declare."""

    def encrypt(self, honest: SegmentCipher, call: Call) -> int:
        return honest.encrypt_into(*call._replace(data=bytes(bytearray(call.data))))


class UnboundedCipher(HostileCipher):
    """Takes whole parts, and does not say how large."""

    info = CipherInfo(
        name="Hostile_2",
        tier="standard",
        key_size=8,
        nonce_size=8,
        tag_size=4,
        segmenting="whole-part",
        approvals=("its author",),
    )


class ClearCipher(HostileCipher):
    """Leaves the plaintext as it is, and puts a good tag behind it."""

    info: ClassVar[CipherInfo] = evolve(HostileCipher.info, memory_factor=16.0)

    def start(self, key: bytes, /) -> SegmentCipher:
        return _Tagged(self, key)

    def keystream(self, _key: bytes, _nonce: bytes, length: int) -> bytes:
        """What the plaintext is combined with."""
        return bytes(length)

    def tag(self, key: bytes, nonce: bytes, associated_data: bytes, ciphertext: bytes) -> bytes:
        """Depends on all of these."""
        size = len(associated_data).to_bytes(8, "big")
        return hmac.digest(key, nonce + size + associated_data + ciphertext, "sha256")[:16]


@frozen
class _Tagged:
    """A keystream, and a tag over what comes of it."""

    cipher: ClearCipher
    key: bytes

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        ciphertext = self._combined(nonce, data)
        memoryview(buf)[:] = ciphertext + self._tag(nonce, associated_data, ciphertext)
        return len(buf)

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        ciphertext, tag = bytes(data[:-16]), bytes(data[-16:])
        if not hmac.compare_digest(tag, self._tag(nonce, associated_data, ciphertext)):
            raise InvalidTag
        memoryview(buf)[:] = self._combined(nonce, ciphertext)
        return len(buf)

    def _combined(self, nonce: Buffer, data: Buffer) -> bytes:
        keystream = self.cipher.keystream(self.key, bytes(nonce), len(data))
        outcome = int.from_bytes(keystream, "big") ^ int.from_bytes(data, "big")
        return outcome.to_bytes(len(data), "big")

    def _tag(self, nonce: Buffer, associated_data: Buffer | None, ciphertext: bytes) -> bytes:
        return self.cipher.tag(self.key, bytes(nonce), bytes(associated_data or b""), ciphertext)


class OnePadCipher(ClearCipher):
    """Has one keystream for all segments, and a tag that hides it."""

    def keystream(self, key: bytes, _nonce: bytes, length: int) -> bytes:
        return hashlib.shake_256(key).digest(length)


class ShortKeyCipher(ClearCipher):
    """Encrypts with 8 bits of its key; the tag takes all of them."""

    def keystream(self, key: bytes, nonce: bytes, length: int) -> bytes:
        return hashlib.shake_256(key[:1] + nonce).digest(length)


class ShortestKeyCipher(ShortKeyCipher):
    """Encrypts and authenticates with 8 bits of its key."""

    def tag(self, key: bytes, nonce: bytes, associated_data: bytes, ciphertext: bytes) -> bytes:
        return super().tag(key[:1], nonce, associated_data, ciphertext)
