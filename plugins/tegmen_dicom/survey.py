"""What a DICOM file is: its encoding, its top-level elements before pixel data, and those."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from attrs import frozen

from tegmen.files import MemoryReader
from tegmen.interfaces import Reader
from tegmen_dicom.walk import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    LONG_VRS,
    PIXEL_TAGS,
    SHORT_VRS,
    Element,
    Encoding,
    Malformed,
    Walker,
)

MAGIC = b"DICM"
PREAMBLE = 128
TRANSFER_SYNTAX = 0x00020010
ROWS = 0x00280010

MAX_META = 1 << 8
MAX_TOP_LEVEL = 1 << 16
MAX_HEADER = 64 << 20
"""What is not image and more than this is never held in memory."""

MAX_VALUE = 1 << 10
MAX_INFLATED = 4 << 20
"""Of a deflated dataset only the beginning is looked at, for the facts in it."""
_INPUT_CHUNK = 64 << 10

_DEFLATED_UID = "1.2.840.10008.1.2.1.99"
NATIVE_UIDS = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"))


@frozen
class Survey:
    """A file's structure, as far as it holds.

    Attributes:
        walker: over the bytes that the elements' offsets mean.
        transfer_syntax: the UID that the file meta information names; empty if it names none.
        deflated: the dataset is compressed as a whole, and `walker` is over inflated bytes.
        encoding: of the dataset.
        elements: top-level elements by tag, file meta information left out, pixel data last.
        pixels: the element that holds pixel data, or None.
        problem: where the structure stops adding up; empty when it holds up to pixel data.
    """

    walker: Walker
    transfer_syntax: str
    deflated: bool
    encoding: Encoding
    elements: Mapping[int, Element]
    pixels: Element | None
    problem: str

    @property
    def is_image(self) -> bool:
        """Whether the object is of a kind that has pixel data, even if this copy was cut."""
        return self.pixels is not None or ROWS in self.elements

    @property
    def encapsulated(self) -> bool:
        """Whether pixel data is a sequence of fragments (PS3.5, A.4)."""
        if self.pixels is None or self.encoding.big:
            return False
        value = self.pixels[3]
        return self.walker.read(value - 4, value) == b"\xff\xff\xff\xff"

    def value(self, tag: int) -> bytes | None:
        """The bytes of a top-level value without padding; None if absent or over 1 KiB."""
        element = self.elements.get(tag)
        if element is None or element[4] - element[3] > MAX_VALUE:
            return None
        return self.walker.read(element[3], element[4]).strip(b" \0")

    def number(self, tag: int) -> int | None:
        """The value of an element of VR US; None unless it is exactly one."""
        element = self.elements.get(tag)
        if element is None or element[4] - element[3] != 2:
            return None
        value = self.walker.read(element[3], element[4])
        return int.from_bytes(value, "big" if self.encoding.big else "little")


def plausible(reader: Reader) -> bool:
    """Whether the bytes begin as a DICOM file does, with or without a preamble."""
    if reader.size >= PREAMBLE + 4 and reader.view(PREAMBLE, 4) == MAGIC:
        return True
    return reader.size >= 16 and _begins_dataset(reader)


def survey(reader: Reader) -> Survey:
    """Look through a file that is plausibly DICOM; problems are in the answer.

    Raises:
        InputError: the file cannot be read.
    """
    walker = Walker(reader)
    has_preamble = reader.size >= PREAMBLE + 4 and reader.view(PREAMBLE, 4) == MAGIC
    start, uid, problem = PREAMBLE + 4 if has_preamble else 0, "", ""
    deflated = False
    try:
        start, uid = _file_meta(walker, start)
        deflated = uid == _DEFLATED_UID
        if deflated:
            start, walker = 0, Walker(MemoryReader(_inflated(reader, start)))
        encoding = _encoding(walker, start)
    except Malformed as error:
        return Survey(walker, uid, deflated, EXPLICIT, {}, None, str(error))
    listed: list[Element] = []
    try:
        for element in islice(walker.elements(start, walker.size, encoding), MAX_TOP_LEVEL):
            listed.append(element)  # what was read before an error counts
    except Malformed as error:
        problem = str(error)
    elements = {element[0]: element for element in listed}
    if not len(elements) == len(listed) < MAX_TOP_LEVEL or [*elements] != sorted(elements):
        problem = "its elements are too many, or stand out of order"
    pixels = listed[-1] if listed and listed[-1][0] in PIXEL_TAGS else None
    return Survey(walker, uid, deflated, encoding, elements, pixels, problem)


def _file_meta(walker: Walker, pos: int) -> tuple[int, str]:
    """Where the file meta information ends, and the transfer syntax that it names."""
    uid = b""
    elements = islice(walker.elements(pos, walker.size, EXPLICIT), MAX_META)
    while pos + 8 <= walker.size and walker.read(pos, pos + 2) == b"\2\0":
        element = next(elements, None)
        if element is None:
            raise Malformed("the file meta information has no end")
        tag, _, _, value, end = element
        if tag == TRANSFER_SYNTAX and end - value <= 64:
            uid = walker.read(value, end).strip(b" \0")
        pos = end
    return pos, uid.decode("ascii", "replace")


def _encoding(walker: Walker, pos: int) -> Encoding:
    """How a dataset is encoded; its first element shows it, whatever a transfer syntax says."""
    head = walker.read(pos, pos + 6) if pos + 6 <= walker.size else b"\0" * 6
    if head[4:6] not in SHORT_VRS and head[4:6] not in LONG_VRS:
        return IMPLICIT
    return BIG_ENDIAN if head[0] == 0 else EXPLICIT


def _begins_dataset(reader: Reader) -> bool:
    """Two elements in ascending order, the first of group 0002 or 0008."""
    walker = Walker(reader)
    encoding = _encoding(walker, 0)
    if encoding.item.unpack(walker.read(0, 8))[0] not in (0x0002, 0x0008):
        return False
    try:
        first, second = islice(walker.elements(0, reader.size, encoding), 2)
    except (Malformed, ValueError):
        return False
    return first[0] < second[0] <= 0x7FE00010


def _inflated(reader: Reader, pos: int) -> bytes:
    """The beginning of a deflated dataset (PS3.5, A.5)."""
    import zlib

    inflate, out = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    try:
        while pos < reader.size and len(out) < MAX_INFLATED and not inflate.eof:
            take = min(_INPUT_CHUNK, reader.size - pos)
            out += inflate.decompress(reader.view(pos, take), MAX_INFLATED - len(out))
            pos += take
    except zlib.error as error:
        raise Malformed(f"the deflated dataset is damaged: {error}") from None
    return bytes(out)
