"""Compares the readable part of a sealed object with what it was when it was sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tegmen import canonical
from tegmen.errors import FormatError
from tegmen.files import MemoryReader
from tegmen_dicom import encode
from tegmen_dicom.frames import NUMBER_OF_FRAMES
from tegmen_dicom.survey import Survey
from tegmen_dicom.walk import EXPLICIT, Element, Malformed, Walker

ENCRYPTED_ATTRIBUTES = 0x04000500
MAX_NOTED = 1 << 10
Value = tuple[bytes, bytes]
"""(VR, bytes); of VR UN where only the presence of the element was noted."""

_ABSENT: Mapping[int, Value] = {NUMBER_OF_FRAMES: (b"IS", b"1 ")}
"""Some hops leave out the number of frames of a single one."""

_PIXEL_GROUP = 0x7FE00000
_BINARY = frozenset(b"AT FD FL OB OD OF OL OV OW SL SS SV UL US UV".split())


def note_of(elements: Mapping[int, bytes]) -> bytes:
    """Deterministic CBOR: [the clear attributes as sealed, in Explicit VR Little Endian].

    Of sequences and values over 1 KiB it says only that they are there: VR UN, no value.
    """
    return canonical.encode([b"".join(map(_noted, elements.keys(), elements.values()))])


def changed(survey: Survey, note: bytes) -> list[str]:
    """Keyword and tag of each clear attribute that is not as noted, those added included.

    Left aside: how elements are encoded and padded, group lengths, private attributes.

    Raises:
        FormatError: the note is not well-formed.
    """
    sealed = _read_note(note)
    if b"".join(_as_noted(survey)) == sealed:
        return []
    was, now = _noted_values(sealed), _values(survey)
    tags, absent = sorted(was | now), _ABSENT.get
    return [
        _name(tag)
        for tag in tags
        if not _same(was.get(tag, absent(tag)), now.get(tag, absent(tag)))
    ]


def _noted(tag: int, element: bytes) -> bytes:
    if len(element) > MAX_NOTED or element[4:6] == b"SQ":
        return encode.header(tag, b"UN", 0)
    return element


def _as_noted(survey: Survey) -> Iterator[bytes]:
    """What the note would be, if nothing was encoded anew."""
    read = survey.walker.read
    for tag, vr, start, _, end in _compared(survey):
        if end - start > MAX_NOTED or vr == b"SQ":
            yield encode.header(tag, b"UN", 0)
        else:
            yield read(start, end)


def _compared(survey: Survey) -> list[Element]:
    """Elements of even groups; without group lengths, the envelope and pixel data."""
    return [
        element
        for element in survey.elements.values()
        if (tag := element[0]) < _PIXEL_GROUP
        and tag != ENCRYPTED_ATTRIBUTES
        and tag & 0xFFFF
        and not tag & 0x10000
    ]


def _read_note(note: bytes) -> bytes:
    what = "the carrier's note"
    value = canonical.decode(note, what)
    sealed: bytes = canonical.fields(value, (bytes,), what)[0]
    return sealed


def _noted_values(sealed: bytes) -> dict[int, Value]:
    walker = Walker(MemoryReader(sealed))
    try:
        return {
            tag: (vr, walker.read(value, end))
            for tag, vr, _, value, end in walker.elements(0, walker.size, EXPLICIT)
        }
    except Malformed as error:
        raise FormatError(f"the carrier's note: {error}") from None


def _values(survey: Survey) -> dict[int, Value]:
    """Beginnings are enough: a value that is longer than what is noted differs from it."""
    read = survey.walker.read
    return {
        tag: (vr, read(value, min(end, value + MAX_NOTED)))
        for tag, vr, _, value, end in _compared(survey)
    }


def _same(was: Value | None, now: Value | None) -> bool:
    if was is None or now is None:
        vr, value = was or now or (b"", b"")
        return vr != b"UN" and not value.strip(b" \0")  # some hops drop what is empty
    vr, value = was
    if vr == b"UN":
        return True
    if vr in _BINARY:
        return value == now[1]
    return value.strip(b" \0") == now[1].strip(b" \0")


def _name(tag: int) -> str:
    from pydicom.datadict import keyword_for_tag

    return f"{keyword_for_tag(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})".lstrip()
