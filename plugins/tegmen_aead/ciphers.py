"""The AEAD ciphers of `cryptography`, offered as they are: no wrapper stands in the hot path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import aead

from tegmen.errors import PluginBroken
from tegmen.interfaces import Cipher, CipherInfo, Offer, SegmentCipher


@frozen
class AeadCipher:
    """A cipher whose ciphertext is as long as the plaintext, followed by a 16-byte tag.

    After InvalidTag, `decrypt_into` leaves plaintext, or something close to it, in the buffer.

    Attributes:
        info: what it declares.
        primitive: the class of `cryptography`, called with the key.
    """

    info: CipherInfo
    primitive: Callable[[bytes], SegmentCipher]

    def ciphertext_length(self, length: int, /) -> int:
        return length

    def start(self, key: bytes, /) -> SegmentCipher:
        return self.primitive(key)


AES_256_GCM = AeadCipher(
    CipherInfo(
        name="aes-256-gcm",
        tier="standard",
        key_size=32,
        nonce_size=12,
        tag_size=16,
        memory_factor=0.0,
        approvals=("FIPS 140", "ISO", "browser"),
        source="NIST SP 800-38D",
        worth="Hides the content and reveals every change, as long as no nonce repeats under "
        "one key, which the format sees to.",
    ),
    aead.AESGCM,
)

AES_256_GCM_SIV = AeadCipher(
    CipherInfo(
        name="aes-256-gcm-siv",
        tier="standard",
        key_size=32,
        nonce_size=12,
        tag_size=16,
        memory_factor=0.0,
        source="RFC 8452",
        worth="As AES-256-GCM, and a repeated nonce shows only that two segments are equal; "
        "many times slower, and no regulator lists it.",
    ),
    aead.AESGCMSIV,
)

CHACHA20_POLY1305 = AeadCipher(
    CipherInfo(
        name="chacha20-poly1305",
        tier="standard",
        key_size=32,
        nonce_size=12,
        tag_size=16,
        memory_factor=0.0,
        source="RFC 8439",
        worth="Hides the content and reveals every change, as long as no nonce repeats under "
        "one key; fast and free of timing leaks on processors without AES instructions.",
    ),
    aead.ChaCha20Poly1305,
)


def make(cipher: AeadCipher, _options: None, _folder: Path) -> Cipher:
    """`cipher`, if this machine's OpenSSL has it. Raises PluginBroken."""
    try:
        cipher.start(bytes(cipher.info.key_size))
    except UnsupportedAlgorithm as error:
        raise PluginBroken(
            f"cipher {cipher.info.name}: the OpenSSL under `cryptography` does not have it",
            hint="install the `cryptography` wheel, or choose aes-256-gcm in the profile",
        ) from error
    return cipher


OFFERS = tuple(
    Offer[Cipher](cipher.info.name, partial(make, cipher))
    for cipher in (AES_256_GCM, AES_256_GCM_SIV, CHACHA20_POLY1305)
)
