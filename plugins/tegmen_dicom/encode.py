"""Writes data elements in Explicit VR Little Endian (PS3.5, 7.1.2)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable

from tegmen_dicom.walk import LONG_VRS

TRANSFER_SYNTAX_UID = "1.2.840.10008.1.2.1"
IMPLEMENTATION_CLASS_UID = "2.25.204511979686927811859766710584593890174"
IMPLEMENTATION_VERSION_NAME = "TEGMEN"
MAX_LENGTH = 0xFFFFFFFE
SHORT_LENGTH = 0xFFFE

_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2s2xL")
_ITEM = struct.Struct("<HHL")


def header(tag: int, vr: bytes, length: int) -> bytes:
    """What stands before a value of `length` bytes, which must be even."""
    layout = _LONG if vr in LONG_VRS else _SHORT
    return layout.pack(tag >> 16, tag & 0xFFFF, vr, length)


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """A whole element; an odd value is padded as its VR wants (PS3.5, 6.2)."""
    if len(value) % 2:
        value += b"\0" if vr in LONG_VRS or vr == b"UI" else b" "
    return header(tag, vr, len(value)) + value


def text(tag: int, vr: bytes, value: str) -> bytes:
    """An element of ASCII text."""
    return element(tag, vr, value.encode("ascii"))


def number(tag: int, value: int) -> bytes:
    """An element of VR US."""
    return element(tag, b"US", value.to_bytes(2, "little"))


def item(length: int) -> bytes:
    """The header of an item of a sequence (PS3.5, 7.5)."""
    return _ITEM.pack(0xFFFE, 0xE000, length)


def sequence(tag: int, items: Iterable[bytes]) -> bytes:
    """A sequence whose items have this content."""
    body = b"".join([item(len(content)) + content for content in items])
    return header(tag, b"SQ", len(body)) + body


def fresh_uid() -> str:
    """A new UID under 2.25 (PS3.5, B.2), always of the same length."""
    drawn = bytearray(uuid.uuid4().bytes)
    drawn[0] |= 0x80
    return f"2.25.{int.from_bytes(drawn, 'big')}"


def file_head(sop_class: str, sop_instance: str) -> bytes:
    """Preamble, magic and file meta information (PS3.10, 7.1)."""
    meta = b"".join(
        (
            element(0x00020001, b"OB", b"\0\1"),
            text(0x00020002, b"UI", sop_class),
            text(0x00020003, b"UI", sop_instance),
            text(0x00020010, b"UI", TRANSFER_SYNTAX_UID),
            text(0x00020012, b"UI", IMPLEMENTATION_CLASS_UID),
            text(0x00020013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    group_length = element(0x00020000, b"UL", len(meta).to_bytes(4, "little"))
    return bytes(128) + b"DICM" + group_length + meta
