"""What is made from a store's root secret: the keys that protect its file."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence

from attrs import field, frozen
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tegmen.errors import AccessDenied, StoreDamaged, StoreUnavailable
from tegmen.private import wipe
from tegmen_file.document import Argon2Cost, Document, Root, canonical, covered
from tegmen_file.secret import Secret

NONCE_SIZE = 12
CHECK_SIZE = 16


@frozen
class RootKeys:
    """Closes and opens what one store holds; made from the root secret and a salt."""

    _wrapping: AESGCM = field(repr=False)
    _document: bytes = field(repr=False)

    def wrap(self, secret: bytes, what: Sequence[str | int]) -> bytes:
        """`secret` closed, and bound to `what` it is."""
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._wrapping.encrypt(nonce, secret, canonical(what))

    def unwrap(self, wrapped: bytes, what: Sequence[str | int], where: str) -> bytes:
        """What `wrap` closed. Raises StoreDamaged."""
        nonce, body = wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:]
        try:
            return self._wrapping.decrypt(nonce, body, canonical(what))
        except InvalidTag:
            raise damaged(where) from None

    def mac(self, document: Document) -> bytes:
        """The MAC over the whole of `document`."""
        return hmac.digest(self._document, covered(document), "sha256")


def damaged(where: str) -> StoreDamaged:
    """What to raise when the file was altered."""
    return StoreDamaged(
        f"the key store {where} was altered: it fails its check",
        hint="put the newest backup in its place; it has the same form",
    )


def new_root(secret: Secret, cost: Argon2Cost) -> tuple[Root, RootKeys]:
    """A root with a new salt. Raises as `secret.ask` does."""
    salt = os.urandom(32)
    argon2id = cost if secret.kind == "passphrase" else None
    check, keys = _derive(salt, argon2id, secret.ask(True))
    return Root(secret.kind, salt, argon2id, check), keys


def open_root(root: Root, secret: Secret, where: str) -> RootKeys:
    """The keys of an existing root.

    Args:
        where: names the store's file in messages.

    Raises:
        AccessDenied: the secret is not the one that the store was made with.
        StoreUnavailable: Argon2id cannot run here.
    """
    if secret.kind == root.kind:
        check, keys = _derive(root.salt, root.argon2id, secret.ask(False))
        if hmac.compare_digest(check, root.check):
            return keys
    raise AccessDenied(
        f"the {secret.kind} given does not open the key store {where}, made with a {root.kind}",
        hint=f"give the {root.kind} that it was made with; if it is, the file was altered",
    )


def _derive(salt: bytes, cost: Argon2Cost | None, secret: bytearray) -> tuple[bytes, RootKeys]:
    root_secret = secret if cost is None else _stretch(salt, cost, secret)
    try:
        check, wrapping, document = (
            expand(root_secret, salt, label) for label in ("check", "wrap", "document")
        )
    finally:
        wipe(secret)
        wipe(root_secret)
    return check[:CHECK_SIZE], RootKeys(AESGCM(wrapping), document)


def _stretch(salt: bytes, cost: Argon2Cost, passphrase: bytearray) -> bytearray:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    stretched = bytearray(32)
    try:
        Argon2id(
            salt=salt,
            length=len(stretched),
            iterations=cost.iterations,
            lanes=cost.lanes,
            memory_cost=cost.memory_kib,
        ).derive_into(bytes(passphrase), stretched)
    except MemoryError:
        raise StoreUnavailable(
            f"the passphrase needs {cost.memory_kib >> 10} MiB of memory, which are not free",
            hint="free some memory",
        ) from None
    except UnsupportedAlgorithm:
        raise StoreUnavailable(
            "the OpenSSL under `cryptography` has no Argon2id",
            hint="install a `cryptography` wheel, or OpenSSL 3.2 or later",
        ) from None
    return stretched


def expand(secret: bytes | bytearray, salt: bytes | None, label: str) -> bytes:
    """K(label): 32 bytes of HKDF-SHA-256 (RFC 5869)."""
    return HKDF(SHA256(), 32, salt, f"tegmen/file/1 {label}".encode()).derive(secret)
