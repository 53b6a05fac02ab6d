"""The CMS message in Encrypted Content (0400,0520), around the envelope (RFC 5652, RFC 5083).

AuthEnvelopedData with one OtherRecipientInfo, last in DER order, whose value are the
envelope's octets. X.509 recipients take their place in the same SET before it.
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tegmen.errors import FormatError
from tegmen_dicom import encode
from tegmen_dicom.walk import Malformed, Walker

ORI_TYPE = "2.25.110176893062660945311547777284802717428"
"""Our kind of OtherRecipientInfo: a UUID of its own (X.667), registered with nobody."""

_ORI_TYPE_DER = bytes.fromhex("06146981a5e3a68eb189cab9b7ac84b0af97beb6cd74")
_AUTH_ENVELOPED_DATA = bytes.fromhex("060b2a864886f70d0109100117")
_DATA = bytes.fromhex("06092a864886f70d010701")
_AES256_GCM = bytes.fromhex("060960864801650304012e")
_INTEGER, _OCTET_STRING, _SEQUENCE, _SET = 0x02, 0x04, 0x30, 0x31
_CONTENT, _ORIGINATOR, _ENCRYPTED, _ORI = 0xA0, 0xA0, 0x80, 0xA4
_VERSION_0 = b"\x02\x01\x00"
_NEAR = 1 << 16
"""Within how many bytes our recipient begins, if the lengths before it cannot be trusted."""


def around(octets: int) -> tuple[bytes, bytes]:
    """What stands before and after an envelope of `octets` bytes, which is not in memory."""
    tail = _encrypted_content()
    before = _header(_OCTET_STRING, octets)
    before = _wrapped(_ORI, _ORI_TYPE_DER + before, octets)
    before = _VERSION_0 + _wrapped(_SET, before, octets)
    before = _wrapped(_SEQUENCE, before, octets + len(tail))
    before = _AUTH_ENVELOPED_DATA + _wrapped(_CONTENT, before, octets + len(tail))
    return _wrapped(_SEQUENCE, before, octets + len(tail)), tail


def _encrypted_content() -> bytes:
    """EncryptedContentInfo and MAC.

    The content is a Modified Attributes Sequence (0400,0550) with one empty item, as small as
    can be: its key goes to X.509 recipients, and where there is none, nobody has it.
    """
    content = encode.header(0x04000550, b"SQ", 8) + encode.item(0)
    nonce = os.urandom(12)
    sealed = AESGCM(AESGCM.generate_key(256)).encrypt(nonce, content, None)
    parameters = _der(_OCTET_STRING, nonce) + _der(_INTEGER, b"\x10")
    algorithm = _der(_SEQUENCE, _AES256_GCM + _der(_SEQUENCE, parameters))
    info = _der(_SEQUENCE, _DATA + algorithm + _der(_ENCRYPTED, sealed[:-16]))
    return info + _der(_OCTET_STRING, sealed[-16:])


def _header(tag: int, length: int) -> bytes:
    """Identifier and length octets in DER (X.690, 8.1); the contents may be gigabytes."""
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def _der(tag: int, contents: bytes) -> bytes:
    return _header(tag, len(contents)) + contents


def _wrapped(tag: int, begun: bytes, more: int) -> bytes:
    """`begun`, which `more` bytes will follow, as the contents of `tag`."""
    return _header(tag, len(begun) + more) + begun


# --------------------------------------------------------------------------- reading


class _NotDer(Exception):
    """The bytes are not of the shape that is looked for; never leaves this module."""


def find(walker: Walker, start: int, end: int) -> tuple[int, int] | None:
    """Where the envelope's octets are in an Encrypted Content value, as (offset, length).

    None when the value is another program's. Recipients before and after ours are passed over.

    Raises:
        FormatError: our kind of recipient is there, but damaged.
    """
    try:
        found = _find(walker, start, end)
    except (_NotDer, Malformed):
        found = None
    if found is None and _ORI_TYPE_DER in walker.read(start, min(end, start + _NEAR)):
        raise FormatError(
            "the CMS message that holds the envelope is damaged", hint="restore another copy"
        )
    return found


def _find(walker: Walker, pos: int, end: int) -> tuple[int, int] | None:
    pos, end = _enter(walker, pos, end, _SEQUENCE)
    pos = _pass(walker, pos, end, _AUTH_ENVELOPED_DATA)
    pos, end = _enter(walker, pos, end, _CONTENT)
    pos, end = _enter(walker, pos, end, _SEQUENCE)
    pos = _pass(walker, pos, end, _VERSION_0)
    tag, _, after = _read_header(walker, pos, end)
    if tag == _ORIGINATOR:
        pos = after
    pos, end = _enter(walker, pos, end, _SET)
    while pos < end:
        tag, value, after = _read_header(walker, pos, end)
        if tag == _ORI and walker.read(value, value + len(_ORI_TYPE_DER)) == _ORI_TYPE_DER:
            value, stop = _enter(walker, value + len(_ORI_TYPE_DER), after, _OCTET_STRING)
            return value, stop - value
        pos = after
    return None


def _enter(walker: Walker, pos: int, end: int, expected: int) -> tuple[int, int]:
    tag, value, after = _read_header(walker, pos, end)
    if tag != expected:
        raise _NotDer
    return value, after


def _pass(walker: Walker, pos: int, end: int, expected: bytes) -> int:
    after = pos + len(expected)
    if after > end or walker.read(pos, after) != expected:
        raise _NotDer
    return after


def _read_header(walker: Walker, pos: int, end: int) -> tuple[int, int, int]:
    """Identifier octet, begin and end of the contents; libraries want all of them in memory."""
    if pos + 2 > end:
        raise _NotDer
    tag, length = walker.read(pos, pos + 2)
    value = pos + 2
    if length >= 0x80:
        value += length & 0x7F
        if not 0x81 <= length <= 0x88 or value > end:
            raise _NotDer
        length = int.from_bytes(walker.read(pos + 2, value), "big")
    if value + length > end:
        raise _NotDer
    return tag, value, value + length
