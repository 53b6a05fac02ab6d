"""Closes and opens data keys under one version of a key: the path that every image takes."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tegmen.errors import KeyDisabled, TegmenError, WrongKey
from tegmen.interfaces import Wrapped
from tegmen_file.document import canonical
from tegmen_file.keys import ALGORITHM, CHECK_KIND, Key, Version, refuse_destroyed
from tegmen_file.root import NONCE_SIZE

DATA_KEY_SIZE = 32


class Wrapper:
    """One version, ready for use. Random nonces: rotate a key before 2^32 wraps (SP 800-38D)."""

    __slots__ = ("_aead", "_bound", "_check", "_key", "_state", "_version")

    def __init__(self, key: Key, version: Version) -> None:
        self._key = key
        self._version = str(version.number)
        self._check = version.check
        self._state = version.state
        self._aead = None if version.key is None else AESGCM(version.key)
        self._bound = canonical(("tegmen/file/1", key.name, version.number))

    def wrap(self, data_key: bytes, context: bytes) -> Wrapped:
        """Close `data_key`. Raises KeyDisabled or KeyDestroyed."""
        if self._aead is None or self._state != "enabled":
            raise self._refusal()
        if len(data_key) != DATA_KEY_SIZE:
            raise ValueError(f"a data key has {DATA_KEY_SIZE} bytes, not {len(data_key)}")
        nonce = os.urandom(NONCE_SIZE)
        blob = nonce + self._aead.encrypt(nonce, data_key, self._bound + context)
        return Wrapped(self._key.name, self._version, CHECK_KIND, self._check, ALGORITHM, blob)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Open what `wrap` closed. Raises WrongKey, KeyDisabled or KeyDestroyed."""
        if wrapped.check_value != self._check or wrapped.check_kind != CHECK_KIND:
            raise self._other_key()
        if self._aead is None or self._state != "enabled":
            raise self._refusal()
        blob = wrapped.blob
        try:
            data_key = self._aead.decrypt(
                blob[:NONCE_SIZE], blob[NONCE_SIZE:], self._bound + context
            )
        except (InvalidTag, ValueError):  # ValueError: a nonce cut short
            raise self._refused_blob() from None
        if len(data_key) != DATA_KEY_SIZE or wrapped.algorithm != ALGORITHM:
            raise self._refused_blob()
        return data_key

    def _refusal(self) -> TegmenError:
        refuse_destroyed(self._key)
        return KeyDisabled(
            f"version {self._version} of the key {self._key.name!r} is disabled",
            hint="enable it, if it should be usable again",
        )

    def _other_key(self) -> WrongKey:
        return WrongKey(
            f"version {self._version} of the key {self._key.name!r} here is not the key that "
            "wrapped this: their key-check values differ",
            hint="restore the key of that name from a backup into a new store",
        )

    def _refused_blob(self) -> WrongKey:
        return WrongKey(
            f"a data key does not open under version {self._version} of the key {self._key.name!r}",
            hint="it was altered, belongs to another object, or was wrapped by another key",
        )
