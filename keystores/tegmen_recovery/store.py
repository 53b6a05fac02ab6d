"""The recovery key store itself: what tegmen calls.

**What it is for.** A second recipient of every object, for the day when the first key store is
burnt, encrypted by an extortioner, or left behind by its vendor. The machine that seals holds
the public key alone, so whoever takes that machine over can open nothing with it. The private
key lies in a safe, in at least two copies, and is brought back only to open.

**A data key** is wrapped with HPKE (RFC 9180), base mode, one message, empty associated data:
DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. `info` is the deterministic CBOR array
["tegmen/recovery/1", key id, context]. The blob is enc (32 bytes), ciphertext (32), tag (16).
**The keys** are PEM: SubjectPublicKeyInfo and PKCS#8 (RFC 8410), which OpenSSL reads.
**The key-check value** is the SHA-256 of the SubjectPublicKeyInfo:
`openssl pkey -in private.pem -pubout -outform DER | sha256sum`.

**What it lacks, and why.** No rotation: a version would have to find its private key among
several media in a safe, and the name of the file is all that people have there; a new key is a
new store under a new alias, and the old one stays configured for what it sealed. No destroying:
nobody can prove from here that no copy is left. No keyed function: it has no secret at hand.

**What it cannot do.** It does not say who sealed: whoever has the public key can make an object
that the private key opens. A quantum computer that breaks X25519 would open recorded objects.
The private key, once read, stays in this process's memory, which Python cannot wipe.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag

from tegmen.canonical import encode
from tegmen.errors import CannotUnwrap, ConfigError, KeyNotFound, TegmenError, WrongKey
from tegmen.interfaces import KeyInfo, Wrapped
from tegmen.private import read_private
from tegmen.problem import shown
from tegmen_recovery.making import make_pair
from tegmen_recovery.options import RecoveryOptions
from tegmen_recovery.pem import (
    ALGORITHM,
    CHECK_KIND,
    LEAST_CHARACTERS,
    MAX_PEM,
    SUITE,
    PrivateKey,
    PublicKey,
    load_private,
    load_public,
)
from tegmen_recovery.public import read_public

LABEL = "tegmen/recovery/1"
VERSION = "1"
DATA_KEY_SIZE = 32


class RecoveryStore:
    """One key pair. Safe to call from several threads; made anew in another process.

    Each file is read once, by the first call that needs it; so is a passphrase asked for.

    Args:
        options: as the configuration has them.
        base: the folder that relative paths start from.
    """

    kind = "recovery"

    def __init__(self, options: RecoveryOptions, base: Path) -> None:
        self._key_id = options.key_id
        self._expected = options.check_value
        self._public_path = base / options.public_key
        self._private_path = options.private_key and base / options.private_key
        self._ask = options.asking(base, f"the recovery key {options.key_id}", LEAST_CHARACTERS)
        self._loading = Lock()
        self._public: PublicKey | None = None
        self._private: PrivateKey | None = None

    def __repr__(self) -> str:
        return f"RecoveryStore({str(self._public_path)!r})"

    # ---------------------------------------------------------------- KeyStore

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        public = self._public_key(key_id)
        if len(data_key) != DATA_KEY_SIZE:
            raise ValueError(f"a data key has {DATA_KEY_SIZE} bytes, not {len(data_key)}")
        blob = SUITE.encrypt(data_key, public.key, info=self._info(context))
        return Wrapped(key_id, VERSION, CHECK_KIND, public.check, ALGORITHM, blob)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        public = self._public_key(wrapped.key_id)
        if wrapped.version != VERSION:
            raise KeyNotFound(
                f"the recovery key {self._key_id!r} has no version {shown(wrapped.version)}",
                hint="the object was altered, or needs a newer tegmen",
            )
        if (wrapped.check_kind, wrapped.check_value) != (CHECK_KIND, public.check):
            raise self._other_key(wrapped, public)
        private = self._private_key(public)
        try:
            data_key = SUITE.decrypt(wrapped.blob, private.key, info=self._info(context))
        except InvalidTag:
            raise self._refused_blob() from None
        if len(data_key) != DATA_KEY_SIZE or wrapped.algorithm != ALGORITHM:
            raise self._refused_blob()
        return data_key

    def describe(self, key_id: str) -> KeyInfo:
        return KeyInfo(
            key_id=key_id,
            version=VERSION,
            state="enabled",
            algorithm=ALGORITHM,
            check_kind=CHECK_KIND,
            check_value=self._public_key(key_id).check,
            versions=((VERSION, "enabled"),),
        )

    # ---------------------------------------------------------------- optional powers

    def probe(self) -> str | None:
        """None when it can seal and, while the private key is here, open."""
        try:
            public = self._public_key(self._key_id)
            if self._private_path is not None and not _is_missing(self._private_path):
                self._private_key(public)
        except TegmenError as error:
            return f"{error}; {error.hint}" if error.hint else str(error)
        return None

    def list_keys(self) -> Sequence[KeyInfo]:
        return [self.describe(self._key_id)]

    def initialise(self) -> None:
        """Make the key pair: the private key, encrypted if a passphrase is named, and the
        public key. Then take the private key's medium away.

        Raises:
            ConfigError: no place for the private key is named, or a check value already is.
            KeyExists, InsecureConfig, AccessDenied, StoreUnavailable, OutputError: as
                `making.make_pair`.
        """
        if self._private_path is None:
            raise ConfigError(
                f"no place for the private half of the key {self._key_id!r} is named",
                hint="name it as private-key, on the medium that goes into the safe",
            )
        if self._expected is not None:
            raise ConfigError(
                f"a new key {self._key_id!r} cannot have the check-value that is configured",
                hint="take check-value out, and write in that of the new key",
            )
        make_pair(self._public_path, self._private_path, self._ask)

    # ---------------------------------------------------------------- the two halves

    def _public_key(self, key_id: str) -> PublicKey:
        if key_id != self._key_id:
            raise KeyNotFound(
                f"the recovery key store has no key {shown(key_id)}, only {self._key_id!r}",
                hint="correct the recipient, or key-id of the store",
            )
        if self._public is None:
            self._public = self._read_public()
        return self._public

    def _read_public(self) -> PublicKey:
        path = self._public_path
        public = load_public(read_public(path), str(path))
        if self._expected not in (None, public.check.hex()):
            raise WrongKey(
                f"the public key {path} has the key-check value {public.check.hex()}, "
                f"and the configuration wants {self._expected}",
                hint="put a copy of the right public key in its place",
            )
        return public

    def _private_key(self, public: PublicKey) -> PrivateKey:
        with self._loading:
            if self._private is None:
                self._private = self._read_private(public)
        return self._private

    def _read_private(self, public: PublicKey) -> PrivateKey:
        path = self._private_path
        if path is None or _is_missing(path):
            raise self._not_here(public)
        private = load_private(read_private(path, "private key", MAX_PEM)[1], str(path), self._ask)
        if private.public.check != public.check:
            raise WrongKey(
                f"the private key {path} has the key-check value {private.public.check.hex()}, "
                f"not {public.check.hex()}",
                hint="bring the medium whose key has that value",
            )
        return private

    def _info(self, context: bytes) -> bytes:
        return encode([LABEL, self._key_id, context])

    # ---------------------------------------------------------------- refusals

    def _not_here(self, public: PublicKey) -> CannotUnwrap:
        where = "is not named" if self._private_path is None else f"{self._private_path} is missing"
        return CannotUnwrap(
            f"only the private half of the recovery key {self._key_id!r} opens this, and it "
            f"{where}; key-check value {public.check.hex()}",
            hint="bring the medium from the safe, and name its file as private-key of the store",
        )

    def _other_key(self, wrapped: Wrapped, public: PublicKey) -> WrongKey:
        return WrongKey(
            f"the recovery key {self._key_id!r} here is not the key that wrapped this: its "
            f"key-check value is {public.check.hex()}, not {wrapped.check_value[:32].hex()}",
            hint="configure the recovery key that has that value",
        )

    def _refused_blob(self) -> WrongKey:
        return WrongKey(
            f"a data key does not open under the recovery key {self._key_id!r}",
            hint="it was altered, belongs to another object, or was wrapped by another key",
        )


def _is_missing(path: Path) -> bool:
    """Whether nothing has that name; false when that cannot be told."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
