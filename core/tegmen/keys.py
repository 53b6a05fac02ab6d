"""From a data key to every key of an object, and the values that tell a wrong key before use."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from tegmen import canonical
from tegmen.envelope import VERSION
from tegmen.errors import ContextMismatch, ContextMissing

Context = Mapping[str, str | int | bytes]
"""What an object is bound to without storing it: names, and values the reader must know."""

_PREFIX = b"tegmen/%d " % VERSION
_SHA256 = SHA256()
NO_CONTEXT = hashlib.sha256(b"\xa0").digest()


def header_hash(raw: bytes) -> bytes:
    """H, the SHA-256 of prelude and core: the identity of a sealed object."""
    return hashlib.sha256(raw).digest()


def context_hash(required: Sequence[str], context: Context) -> bytes:
    """X, the SHA-256 of the CBOR map of exactly the required names to their values.

    Raises:
        ContextMissing: a required name is not given.
        ContextMismatch: a name is given that the object does not require.
    """
    missing = [name for name in required if name not in context]
    if missing:
        raise ContextMissing(
            f"the object is bound to context that was not given: {', '.join(missing)}",
            hint=" ".join(f"--context {name}=VALUE" for name in missing),
        )
    surplus = sorted(set(context) - set(required))
    if surplus:
        raise ContextMismatch(
            f"the object is not bound to {', '.join(surplus)}",
            hint="leave it out, or seal under a profile that requires it",
        )
    if not required:
        return NO_CONTEXT
    import cbor2

    values = {_nfc(name): _nfc(context[name]) for name in required}
    return hashlib.sha256(cbor2.dumps(values, canonical=True)).digest()


def _nfc(value: str | int | bytes) -> str | int | bytes:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, int) and not 0 <= value < canonical.MAX_INTEGER:
        raise ContextMismatch("a context value must be text, bytes or an integer below 2^53")
    return value


class KeySchedule:
    """Every key of one object: HKDF-SHA-256 (RFC 5869), extracted once, expanded by label."""

    __slots__ = ("_prk",)

    def __init__(self, data_key: bytes, salt: bytes) -> None:
        self._prk = HKDF.extract(_SHA256, salt, data_key)

    def __repr__(self) -> str:
        return "KeySchedule(...)"

    def expand(self, label: bytes, extra: bytes = b"", length: int = 32) -> bytes:
        """The key, or check value, of that label."""
        info = _PREFIX + label + b"\0" + extra
        return HKDFExpand(_SHA256, length, info).derive(self._prk)

    def commit(self) -> bytes:
        """Commits to the data key and salt: no other data key gives this value."""
        return self.expand(b"commit")

    def core_mac(self, header: bytes) -> bytes:
        """Authenticates prelude and core; `header` is H."""
        return self.expand(b"core", header)

    def context_check(self, header: bytes, context: bytes) -> bytes:
        """Tells wrong context before any decryption; `context` is X."""
        return self.expand(b"context", header + context)

    def zone_mac(self, header: bytes, capacity: int, zone: bytes) -> bytes:
        """Authenticates one slot zone."""
        covered = b"".join((header, capacity.to_bytes(4, "big"), zone))
        return hmac.digest(self.expand(b"slots"), covered, "sha256")

    def manifest_key(self, length: int) -> bytes:
        """The key of part 0."""
        return self.expand(b"manifest", b"", length)


def part_label(header: bytes, context: bytes, layer: int, name: str) -> bytes:
    """What binds the key of a part to its object, context and cipher; the part number follows."""
    encoded = name.encode()
    return b"".join((header, context, bytes((layer, len(encoded))), encoded))


def same(first: bytes, second: bytes) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(first, second)
