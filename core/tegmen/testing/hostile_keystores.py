"""Key stores for tests: one that works, in memory, and four that go wrong in known ways."""

from __future__ import annotations

import hashlib
import hmac
import os

from attrs import evolve
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tegmen.errors import KeyNotFound, StoreUnavailable, WrongKey
from tegmen.interfaces import KeyInfo, KeyStore, Wrapped


class MemoryKeyStore:
    """A store that works and forgets: random keys of the given names, one version each."""

    kind = "memory"

    def __init__(self, *key_ids: str) -> None:
        self._keys = {key_id: os.urandom(32) for key_id in key_ids}

    def describe(self, key_id: str) -> KeyInfo:
        check = hmac.digest(self._key(key_id), b"check", "sha256")[:16]
        return KeyInfo(
            key_id=key_id,
            version="1",
            state="enabled",
            algorithm="AES-256-GCM",
            check_kind="hmac-sha-256",
            check_value=check,
            versions=(("1", "enabled"),),
        )

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        info = self.describe(key_id)
        nonce = self._nonce()
        blob = nonce + self._aead(key_id).encrypt(nonce, data_key, context)
        return Wrapped(key_id, "1", info.check_kind, info.check_value, info.algorithm, blob)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        info = self.describe(wrapped.key_id)
        if wrapped.version != info.version:
            raise KeyNotFound(f"no version {wrapped.version!r} of {wrapped.key_id!r}")
        if wrapped.check_value != info.check_value:
            raise WrongKey(f"{wrapped.key_id!r} is another key here")
        aead, blob = self._aead(wrapped.key_id), wrapped.blob
        try:
            return aead.decrypt(blob[:12], blob[12:], context)
        except (InvalidTag, ValueError):
            raise WrongKey(f"a data key does not open under {wrapped.key_id!r}") from None

    def prf(self, key_id: str, data: bytes) -> bytes:
        return hmac.digest(self._key(key_id), b"prf" + data, "sha256")

    def _key(self, key_id: str) -> bytes:
        if key_id not in self._keys:
            raise KeyNotFound(f"no key {key_id!r} in memory", hint="name it when making the store")
        return self._keys[key_id]

    def _nonce(self) -> bytes:
        return os.urandom(12)

    def _aead(self, key_id: str) -> AESGCM:
        return AESGCM(hashlib.sha256(b"wrap" + self._key(key_id)).digest())


class OneNonceKeyStore(MemoryKeyStore):
    """Uses one nonce for all data keys."""

    def _nonce(self) -> bytes:
        return bytes(12)


class SwappedKeyStore:
    """Describes the keys of `honest`, and closes and opens under others of the same names."""

    def __init__(self, honest: KeyStore, *key_ids: str) -> None:
        self.kind = honest.kind
        self._honest = honest
        self._other = MemoryKeyStore(*key_ids)

    def describe(self, key_id: str) -> KeyInfo:
        return self._honest.describe(key_id)

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        claimed = self.describe(key_id)
        wrapped = self._other.wrap(key_id, data_key, context)
        return evolve(wrapped, version=claimed.version, check_value=claimed.check_value)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        info = self._other.describe(wrapped.key_id)
        own = evolve(wrapped, version=info.version, check_value=info.check_value)
        return self._other.unwrap(own, context)


class FailingKeyStore:
    """Works for `calls` wraps and unwraps together, and is unavailable ever after."""

    def __init__(self, store: KeyStore, calls: int) -> None:
        self.kind = store.kind
        self._store = store
        self._left = calls

    def describe(self, key_id: str) -> KeyInfo:
        return self._store.describe(key_id)

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        self._count()
        return self._store.wrap(key_id, data_key, context)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        self._count()
        return self._store.unwrap(wrapped, context)

    def _count(self) -> None:
        if self._left <= 0:
            raise StoreUnavailable("the key store went away", hint="try again")
        self._left -= 1


class CorruptingKeyStore:
    """Gives back another data key than the one it was given, and says nothing."""

    def __init__(self, store: KeyStore) -> None:
        self.kind = store.kind
        self._store = store

    def describe(self, key_id: str) -> KeyInfo:
        return self._store.describe(key_id)

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        return self._store.wrap(key_id, data_key, context)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        data_key = self._store.unwrap(wrapped, context)
        return bytes((data_key[0] ^ 1,)) + data_key[1:]
