"""The store as it stands on disk: encoding and strict decoding. Pure: no I/O, no secrets.

**File form, version 1.** One JSON object (RFC 8259) in ASCII on one line, members sorted by
name, no spaces, `\\"` and `\\\\` for those two, `\\uXXXX` in lower case for what is not ASCII,
one line feed at the end, at most 16 MiB. A reader writes what it read again and refuses the
file unless the bytes are the same: so nothing is doubled, unknown, left out or of another
type. Bytes are written as lower-case hexadecimal, times as `YYYY-MM-DDThh:mm:ssZ`.

    format    "tegmen key store"
    version   1
    root      what protects the store
      kind      "key-file" or "passphrase"
      salt      32 random bytes
      argon2id  null, or {iterations, lanes, memory_kib}: at most 16, 16 and 1048576
      check     16 bytes, tells a wrong root secret before use
    keys      sorted by name
      name      1 to 128 bytes of UTF-8, NFC, printable, no space at either end
      prf       60 bytes: the wrapped PRF secret; null once destroyed
      versions  oldest first; `wrap` uses the last
        number    1, 2, 3 ...
        created   time
        state     "enabled", "disabled", or "destroyed" (then every version is)
        check     16 bytes, the key-check value; survives destruction
        wrapped   60 bytes: the wrapped key-encryption key; null once destroyed
    mac       32 bytes

**Root.** The root secret S is the 32 bytes of the key file, or
Argon2id(passphrase in UTF-8 and NFC, salt, the stored parameters, 32 bytes; RFC 9106,
version 0x13). K(label) = HKDF-SHA-256(S, salt, info = "tegmen/file/1 " label), 32 bytes.
`check` is the first 16 bytes of K("check"). `mac` is HMAC-SHA-256 under K("document") of the
file's JSON object without the member `mac` and without the line feed.

**Wrapped secrets** are nonce (12 random bytes), ciphertext (32), tag (16) of AES-256-GCM
under K("wrap"); the associated data is the JSON array, in the same form as the file,
["key", name, number, state] or ["prf", name].

**A data key** is wrapped in the same shape under the key-encryption key itself; the associated
data is the JSON array ["tegmen/file/1", name, number] followed by the context.
**The key-check value** of a key-encryption key k is the first 16 bytes of
HMAC-SHA-256(HKDF-SHA-256(k, no salt, info = "tegmen/file/1 key check"), "tegmen key check").
**The PRF** is HMAC-SHA-256 under the key's PRF secret.

A backup is a file of the same form, and can simply be put in the store's place.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from attrs import Attribute, field, frozen, validators

from tegmen.errors import StoreDamaged, StoreUnavailable
from tegmen.interfaces import KeyState

if TYPE_CHECKING:
    from cattrs import Converter

FORMAT: Literal["tegmen key store"] = "tegmen key store"
VERSION = 1
MAX_SIZE = 16 << 20
MAX_NAME = 128

RootKind = Literal["key-file", "passphrase"]


def name_fault(name: str) -> str | None:
    """None when a key may have this name, else the reason."""
    if not name or name != name.strip() or not name.isprintable():
        return "it is empty, has a space at an end, or characters that do not print"
    if not unicodedata.is_normalized("NFC", name):
        return "it is not in Unicode normal form C"
    if len(name.encode()) > MAX_NAME:
        return f"it is longer than {MAX_NAME} bytes"
    return None


def _named(_instance: Any, _attribute: Attribute[Any], value: Any) -> None:
    if name_fault(value) is not None:
        raise ValueError


def _size(size: int) -> Any:
    return validators.and_(validators.min_len(size), validators.max_len(size))


def _between(least: int, most: int) -> Any:
    return validators.and_(validators.ge(least), validators.le(most))


@frozen
class Argon2Cost:
    """Cost of the passphrase; capped, because a hostile file must not demand 100 GB."""

    iterations: int = field(default=3, validator=_between(1, 16))
    lanes: int = field(default=4, validator=_between(1, 16))
    memory_kib: int = field(default=1 << 16, validator=_between(1 << 7, 1 << 20))


@frozen
class Root:
    """What protects the store, without the secret."""

    kind: RootKind
    salt: bytes = field(validator=_size(32))
    argon2id: Argon2Cost | None
    check: bytes = field(validator=_size(16))

    def __attrs_post_init__(self) -> None:
        if (self.kind == "passphrase") != (self.argon2id is not None):
            raise ValueError


@frozen
class VersionRecord:
    """One version of a key, its key-encryption key wrapped."""

    number: int
    created: str = field(validator=validators.matches_re(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z"))
    state: KeyState
    check: bytes = field(validator=_size(16))
    wrapped: bytes | None = field(validator=validators.optional(_size(60)))


@frozen
class KeyRecord:
    """One key with all its versions."""

    name: str = field(validator=_named)
    prf: bytes | None = field(validator=validators.optional(_size(60)))
    versions: tuple[VersionRecord, ...] = field(validator=validators.min_len(1))

    def __attrs_post_init__(self) -> None:
        gone = [self.prf is None]
        for position, version in enumerate(self.versions, 1):
            gone += [version.wrapped is None, version.state == "destroyed"]
            if version.number != position:
                raise ValueError
        if any(gone) and not all(gone):
            raise ValueError


@frozen
class Document:
    """The whole file."""

    root: Root
    keys: tuple[KeyRecord, ...]
    mac: bytes = field(default=bytes(32), validator=_size(32))
    format: Literal["tegmen key store"] = FORMAT
    version: int = field(default=VERSION, validator=validators.in_((VERSION,)))

    def __attrs_post_init__(self) -> None:
        names = [key.name for key in self.keys]
        if names != sorted(set(names)):
            raise ValueError


def canonical(value: Any) -> bytes:
    """`value` as JSON, in the one form that this store writes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def covered(document: Document) -> bytes:
    """What the MAC of `document` is over."""
    members = _converter().unstructure(document)
    del members["mac"]
    return canonical(members)


def encode(document: Document) -> bytes:
    """The bytes of the file.

    Raises:
        StoreUnavailable: there are too many keys for one file.
    """
    data = canonical(_converter().unstructure(document)) + b"\n"
    if len(data) > MAX_SIZE:
        raise StoreUnavailable(
            f"the key store would have {len(data)} bytes, more than the {MAX_SIZE} it may have",
            hint="put further keys into a second store",
        )
    return data


def decode(data: bytes, where: str) -> Document:
    """The document that encodes to exactly `data`; its MAC is the caller's to check.

    Args:
        where: names the file in messages.

    Raises:
        StoreDamaged: there is none.
        StoreUnavailable: a later version of the form.
    """
    try:
        members = json.loads(data[: MAX_SIZE + 1].decode("ascii"))
        _refuse_newer(members, where)
        document = _converter().structure(members, Document)
        same = encode(document) == data
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # cattrs raises plain Exception for some values
        raise _damaged(where, type(error).__name__) from None
    if not same:
        raise _damaged(where, "not in the form that it is written in")
    return document


def _refuse_newer(members: Any, where: str) -> None:
    version = members.get("version")
    if members.get("format") == FORMAT and type(version) is int and version > VERSION:
        raise StoreUnavailable(
            f"{where} is a key store of version {version}, this release reads {VERSION}",
            hint="update tegmen",
        )


def _damaged(where: str, reason: str) -> StoreDamaged:
    return StoreDamaged(
        f"{where} is not a well-formed key store ({reason})",
        hint="put the newest backup in its place; it has the same form",
    )


@cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_structure_hook(bytes, lambda value, _: bytes.fromhex(value))
    converter.register_unstructure_hook(bytes, bytes.hex)
    return converter
