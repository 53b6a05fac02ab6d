"""From a data key to every key of an object, and the values that tell a wrong key before use."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from tegmen import canonical
from tegmen.envelope import VERSION
from tegmen.errors import ContextInvalid, ContextMismatch, ContextMissing

Context = Mapping[str, str | int | bytes]
"""What an object is bound to without storing it: names, and values the reader must know."""

_PREFIX = b"tegmen/%d " % VERSION
_SHA256 = SHA256()
NO_CONTEXT = hashlib.sha256(b"\xa0").digest()


def info(label: bytes, extra: bytes = b"") -> bytes:
    """What a label and its extra bytes are to HKDF."""
    return b"".join((_PREFIX, label, b"\0", extra))


_COMMIT, _SLOTS, _MANIFEST = info(b"commit"), info(b"slots"), info(b"manifest")
_CORE, _CONTEXT = info(b"core"), info(b"context")


def header_hash(raw: bytes) -> bytes:
    """H, the SHA-256 of prelude and core: the identity of a sealed object."""
    return hashlib.sha256(raw).digest()


def context_hash(required: Sequence[str], context: Context) -> bytes:
    """X, the SHA-256 of the CBOR map of exactly the required names to their values.

    Raises:
        ContextMissing: a required name is not given.
        ContextMismatch: a name is given that the object does not require.
        ContextInvalid: a name or value is of a kind that the format does not have.
    """
    if not required and not context:
        return NO_CONTEXT
    given = _checked(context)
    missing = [name for name in required if name not in given]
    if missing:
        raise ContextMissing(
            f"the object is bound to context that was not given: {', '.join(missing)}",
            hint=" ".join(f"--context {name}=VALUE" for name in missing),
        )
    surplus = sorted(set(given) - set(required))
    if surplus:
        raise ContextMismatch(
            f"the object is not bound to {', '.join(surplus)}",
            hint="leave it out, or seal under a profile that requires it",
        )
    import cbor2

    return hashlib.sha256(cbor2.dumps(given, canonical=True)).digest()


def _checked(context: Mapping[Any, Any]) -> Context:
    """`context` with all text in Unicode normal form C. Raises ContextInvalid."""
    checked: dict[str, str | int | bytes] = {}
    for name, value in context.items():
        known = _text(name)
        if not known or not canonical.is_name(known) or known in checked:
            raise ContextInvalid(
                "a context name is not printable text, empty, longer than "
                f"{canonical.MAX_NAME} characters, or given twice",
                hint="give each name once, as the profile spells it",
            )
        known_value = _text(value)
        if known_value is None and not _is_storable(value):
            raise ContextInvalid(
                f"the value of context {known} is not text, bytes or an integer from 0 to 2^53 - 1",
                hint="write it as text",
            )
        checked[known] = value if known_value is None else known_value
    return checked


def _text(value: Any) -> str | None:
    """`value` in normal form C, or None if it is not text that UTF-8 can hold."""
    if type(value) is not str:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return unicodedata.normalize("NFC", value)


def _is_storable(value: Any) -> bool:
    return type(value) is bytes or (type(value) is int and 0 <= value < canonical.MAX_INTEGER)


class KeySchedule:
    """Every key of one object: HKDF-SHA-256 (RFC 5869), extracted once, expanded by label."""

    __slots__ = ("_prk",)

    def __init__(self, data_key: bytes, salt: bytes) -> None:
        self._prk = HKDF.extract(_SHA256, salt, data_key)

    def __repr__(self) -> str:
        return "KeySchedule(...)"

    def expand(self, label: bytes, extra: bytes = b"", length: int = 32) -> bytes:
        """The key, or check value, of that label."""
        return self.derive(info(label, extra), length)

    def derive(self, info: bytes, length: int = 32) -> bytes:
        """The same, of what `info` gave."""
        return HKDFExpand(_SHA256, length, info).derive(self._prk)

    def commit(self) -> bytes:
        """Commits to the data key and salt: no other data key gives this value."""
        return HKDFExpand(_SHA256, 32, _COMMIT).derive(self._prk)

    def core_mac(self, header: bytes) -> bytes:
        """Authenticates prelude and core; `header` is H."""
        return HKDFExpand(_SHA256, 32, _CORE + header).derive(self._prk)

    def context_check(self, header: bytes, context: bytes) -> bytes:
        """Tells wrong context before any decryption; `context` is X."""
        return HKDFExpand(_SHA256, 32, _CONTEXT + header + context).derive(self._prk)

    def zone_mac(self, header: bytes, capacity: int, zone: bytes) -> bytes:
        """Authenticates one slot zone."""
        key = HKDFExpand(_SHA256, 32, _SLOTS).derive(self._prk)
        return hmac.digest(key, header + capacity.to_bytes(4, "big") + zone, "sha256")

    def manifest_key(self, length: int) -> bytes:
        """The key of part 0."""
        return HKDFExpand(_SHA256, length, _MANIFEST).derive(self._prk)


def part_label(header: bytes, context: bytes, layer: int, name: str) -> bytes:
    """What binds the key of a part to its object, context and cipher; the part number follows."""
    encoded = name.encode()
    return b"".join((header, context, bytes((layer, len(encoded))), encoded))


same = hmac.compare_digest
"""Whether two secrets are equal, in constant time."""
