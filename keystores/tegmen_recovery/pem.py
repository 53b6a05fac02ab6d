"""The two halves of the key as standard PEM (RFC 7468), and the check value that names it."""

from __future__ import annotations

import hashlib

from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tegmen.errors import AccessDenied, StoreDamaged
from tegmen.passphrase import Ask

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
ALGORITHM = "HPKE-X25519-HKDF-SHA256-AES-256-GCM"
CHECK_KIND = "spki-sha-256"

MAX_PEM = 1 << 16
"""Bytes."""

LEAST_CHARACTERS = 20
"""Of a new passphrase. PKCS#8 as `cryptography` writes it slows a guess down very little (PBKDF2
with 2048 rounds), so the passphrase alone has to be strong."""


@frozen
class PublicKey:
    """The half that seals.

    Attributes:
        check: key-check value, the SHA-256 of its SubjectPublicKeyInfo (RFC 8410).
    """

    key: X25519PublicKey
    check: bytes

    def pem(self) -> bytes:
        """As SubjectPublicKeyInfo."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@frozen
class PrivateKey:
    """The half that opens, and the other one, computed from it."""

    key: X25519PrivateKey = field(repr=False)
    public: PublicKey

    def pem(self, passphrase: bytes | None) -> bytes:
        """As PKCS#8, encrypted when there is a passphrase."""
        protection = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def new_key() -> PrivateKey:
    """A fresh pair."""
    return _private(X25519PrivateKey.generate())


def load_public(text: str, where: str) -> PublicKey:
    """The key of a PEM file.

    Args:
        where: names the file in messages.

    Raises:
        StoreDamaged: there is no X25519 public key in it, or one that no pair has.
    """
    try:
        key = load_pem_public_key(text.encode())
        if isinstance(key, X25519PublicKey):
            SUITE.encrypt(b"", key)  # refuses the points of small order
            return _public(key)
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise _damaged(where, "X25519 public key") from None


def load_private(data: bytes | bytearray, where: str, ask: Ask | None) -> PrivateKey:
    """The key of a PEM file; `ask` is asked only when it is encrypted.

    Raises:
        StoreDamaged: there is no X25519 private key in it.
        AccessDenied: it is encrypted, and the passphrase is missing or does not open it.
        As `ask` does.
    """
    key: object
    try:
        key = load_pem_private_key(data, None)
    except TypeError:  # how `cryptography` says that it is encrypted
        key = _decrypt(data, where, ask)
    except (ValueError, UnsupportedAlgorithm):
        raise _damaged(where, "X25519 private key") from None
    if not isinstance(key, X25519PrivateKey):
        raise _damaged(where, "X25519 private key")
    return _private(key)


def _decrypt(data: bytes | bytearray, where: str, ask: Ask | None) -> object:
    if ask is None:
        raise AccessDenied(
            f"the private key {where} is encrypted, and no way to its passphrase is named",
            hint="add one of passphrase-file, passphrase-env, prompt to its key store",
        )
    passphrase = bytes(ask(False))
    try:
        return load_pem_private_key(data, passphrase)
    except (ValueError, UnsupportedAlgorithm):
        raise AccessDenied(
            f"the passphrase given does not open the private key {where}",
            hint="give the one that it was made with; if it is, the file is damaged: use a copy",
        ) from None


def _public(key: X25519PublicKey) -> PublicKey:
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(key, hashlib.sha256(encoded).digest())


def _private(key: X25519PrivateKey) -> PrivateKey:
    return PrivateKey(key, _public(key.public_key()))


def _damaged(where: str, what: str) -> StoreDamaged:
    return StoreDamaged(
        f"{where} holds no {what} in PEM", hint="put a copy of the right file in its place"
    )
