"""A walk over the data elements of a DICOM file by byte offsets (PS3.5, section 7)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import frozen

from tegmen.errors import InputError
from tegmen.interfaces import Reader

Element = tuple[int, bytes, int, int, int]
"""(tag, VR, offset, offset of the value, end); the VR is empty where the encoding has none."""

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""
_LAST_TAGS = min(PIXEL_TAGS)
UNDEFINED = 0xFFFFFFFF

LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())

MAX_DEPTH = 32
MAX_ITEMS = 1 << 21
MAX_WINDOWS = 1 << 12
WINDOW = 16 << 10
"""Hostile files make a walk long, not endless: at most 64 MiB of headers and 2^21 items."""


class Malformed(InputError):
    """The bytes do not add up as DICOM."""


@frozen
class Encoding:
    """How element headers are written.

    Attributes:
        header: tag, VR and 16-bit length; or tag and 32-bit length.
        item: tag and 32-bit length of an item or delimiter.
        long: a 32-bit length.
    """

    implicit: bool
    big: bool
    header: struct.Struct
    item: struct.Struct
    long: struct.Struct


def _encoding(order: str, *, implicit: bool) -> Encoding:
    item = struct.Struct(order + "HHL")
    header = item if implicit else struct.Struct(order + "HH2sH")
    return Encoding(implicit, order == ">", header, item, struct.Struct(order + "L"))


IMPLICIT = _encoding("<", implicit=True)
EXPLICIT = _encoding("<", implicit=False)
BIG_ENDIAN = _encoding(">", implicit=False)


class Walker:
    """Reads elements through a window that moves over the file; values are not read."""

    def __init__(self, reader: Reader, max_items: int = MAX_ITEMS) -> None:
        self.size = reader.size
        self._reader = reader
        self._data = b""
        self._base = 0
        self._windows = 0
        self._items = 0
        self._max_items = max_items

    def again(self, max_items: int) -> Walker:
        """A walker over the same bytes that has nothing behind it yet, and takes fewer items."""
        walker = Walker(self._reader, max_items)
        walker._data, walker._base = self._data, self._base
        return walker

    def read(self, offset: int, end: int) -> bytes:
        """The bytes from `offset` to `end`. Raises Malformed if the file ends before."""
        at = offset - self._base
        stop = end - self._base
        if at >= 0 and stop <= len(self._data):
            return self._data[at:stop]
        if end > self.size:
            raise Malformed(f"the file ends at {self.size}, before offset {end}")
        return bytes(self._reader.view(offset, end - offset))

    def _window(self, offset: int) -> bytes:
        self._windows += 1
        if self._windows > MAX_WINDOWS:
            raise Malformed("more element headers than any image has")
        self._base = offset
        self._data = bytes(self._reader.view(offset, min(WINDOW, self.size - offset)))
        if len(self._data) < 8:
            raise Malformed(f"the file ends inside an element at {offset}")
        return self._data

    def elements(self, pos: int, end: int, encoding: Encoding, depth: int = 0) -> Iterator[Element]:
        """The elements from `pos` to `end`.

        The last one is the delimiter, in an item of undefined length; or the pixel data, at
        the top level. The end of encapsulated pixel data is given as its value's offset.

        Raises:
            Malformed: a length leads beyond `end`, or the bytes are no element.
        """
        unpack, implicit = encoding.header.unpack_from, encoding.implicit
        data, base = (self._data, self._base) if pos >= self._base else (b"", pos)
        last = len(data) - 12
        while pos < end:
            at = pos - base
            if at > last:
                data, base, at = self._window(pos), pos, 0
                last = len(data) - 12
            value = pos + 8
            if implicit:
                group, number, length = unpack(data, at)
                vr = b""
            else:
                group, number, vr, length = unpack(data, at)
                if vr not in SHORT_VRS:
                    vr, length, value = _long_header(data, at, pos, encoding)
            tag = group << 16 | number
            stop = value + length
            if length == UNDEFINED:
                stop = self._undefined_end(tag, vr, value, end, encoding, depth)
            if stop > end:
                raise Malformed(f"({group:04X},{number:04X}) at {pos} is longer than what holds it")
            if tag < _LAST_TAGS:
                yield tag, vr, pos, value, stop
                pos = stop
                continue
            if group == 0xFFFE and (tag != ITEM_END or not depth):
                raise Malformed(f"an item or delimiter at {pos} that belongs to no sequence")
            yield tag, vr, pos, value, stop
            if tag == ITEM_END or (tag in PIXEL_TAGS and not depth):
                return
            pos = stop

    def _undefined_end(
        self, tag: int, vr: bytes, value: int, end: int, encoding: Encoding, depth: int
    ) -> int:
        if tag == PIXEL_DATA and not depth:
            return value
        inner = IMPLICIT if vr == b"UN" else encoding  # PS3.5, 6.2.2, note 4
        return self._sequence_end(value, end, inner, depth + 1)

    def items(
        self, pos: int, end: int, encoding: Encoding, depth: int = 1
    ) -> Iterator[tuple[int, int]]:
        """Where the content of each item of a sequence begins and ends. Raises Malformed."""
        while pos < end:
            tag, value, stop, pos = self._item(pos, end, encoding, depth)
            if tag == SEQUENCE_END:
                return
            yield value, stop

    def _sequence_end(self, pos: int, end: int, encoding: Encoding, depth: int) -> int:
        tag = ITEM
        while tag == ITEM:
            tag, _, _, pos = self._item(pos, end, encoding, depth)
        return pos

    def _item(
        self, pos: int, end: int, encoding: Encoding, depth: int
    ) -> tuple[int, int, int, int]:
        """Tag, begin and end of the content, and what follows, of an item or delimiter."""
        self._items += 1
        if self._items > self._max_items or depth > MAX_DEPTH:
            raise Malformed("more items, or nested deeper, than any image has")
        value = pos + 8
        group, number, length = encoding.item.unpack(self.read(pos, value))
        tag = group << 16 | number
        if tag == SEQUENCE_END and value <= end:
            return tag, value, value, value
        if tag != ITEM or (length != UNDEFINED and value + length > end):
            raise Malformed(f"no item of a sequence at {pos}")
        if length != UNDEFINED:
            return tag, value, value + length, value + length
        delimiter = self._item_end(value, end, encoding, depth)
        return tag, value, delimiter, delimiter + 8

    def _item_end(self, pos: int, end: int, encoding: Encoding, depth: int) -> int:
        for tag, _, offset, _, _ in self.elements(pos, end, encoding, depth):
            if tag == ITEM_END:
                return offset
        raise Malformed(f"the item at {pos} has no end")


def _long_header(data: bytes, at: int, pos: int, encoding: Encoding) -> tuple[bytes, int, int]:
    """VR, length and offset of the value where the header is not of the short explicit form."""
    vr = data[at + 4 : at + 6]
    if vr in LONG_VRS and at + 12 <= len(data):
        return vr, encoding.long.unpack_from(data, at + 8)[0], pos + 12
    group, _, length = encoding.item.unpack_from(data, at)
    if group == 0xFFFE:
        return b"", length, pos + 8
    raise Malformed(f"no value representation at {pos}")
