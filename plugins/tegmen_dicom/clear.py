"""Makes the readable part of a sealed object out of its source, element by element."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping

from tegmen_dicom import encode
from tegmen_dicom.rules import Rules
from tegmen_dicom.survey import MAX_HEADER, Survey
from tegmen_dicom.walk import EXPLICIT, IMPLICIT, LONG_VRS, Element, Encoding, Malformed, Walker

SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
STUDY, SERIES = 0x0020000D, 0x0020000E
RAW_DATA_STORAGE = "1.2.840.10008.5.1.4.1.1.66"
MAX_ITEMS = 1 << 16
"""Items of all sequences that stay; one that goes beyond is left out, and those after it."""

MAX_VALUE = 1 << 20
"""A longer value is left out; the largest that drawing needs is a lookup table of 128 KiB."""

_UID = re.compile(rb"[0-9][0-9.]{0,63}")
_SWAPPED = {
    vr: code
    for code, vrs in (("H", b"AT OW SS US"), ("I", b"FL OF OL SL UL"), ("Q", b"FD OD OV SV UV"))
    for vr in vrs.split()
}
_UNKNOWN = (b"", b"UN")
_LONGEST_TERM = 16
_RAW_DATA = {
    tag: encode.text(tag, vr, value)
    for tag, vr, value in (
        (0x00080020, b"DA", ""),  # StudyDate
        (0x00080023, b"DA", "19000101"),  # ContentDate
        (0x00080030, b"TM", ""),  # StudyTime
        (0x00080033, b"TM", "000000"),  # ContentTime
        (0x00080050, b"SH", ""),  # AccessionNumber
        (0x00080060, b"CS", "OT"),  # Modality
        (0x00080070, b"LO", ""),  # Manufacturer
        (0x00080090, b"PN", ""),  # ReferringPhysicianName
        (0x00089123, b"UI", encode.IMPLEMENTATION_CLASS_UID),  # CreatorVersionUID
        (0x00100010, b"PN", ""),  # PatientName
        (0x00100020, b"LO", ""),  # PatientID
        (0x00100030, b"DA", ""),  # PatientBirthDate
        (0x00100040, b"CS", ""),  # PatientSex
        (0x00200010, b"SH", ""),  # StudyID
        (0x00200011, b"IS", ""),  # SeriesNumber
        (0x00200013, b"IS", ""),  # InstanceNumber
        (0x00200060, b"CS", ""),  # Laterality
        (0x00400555, b"SQ", ""),  # AcquisitionContextSequence
    )
}
"""What a Raw Data object must have (PS3.3, A.37)."""


def clear_elements(rules: Rules, survey: Survey) -> dict[int, bytes]:
    """The elements that stay readable, by tag, in Explicit VR Little Endian.

    An object without its UIDs gets new ones, one without a SOP class becomes Raw Data.
    """
    walker = survey.walker.again(MAX_ITEMS)
    elements = _filtered(rules, walker, _bounded(rules, survey), survey.encoding, 0)
    for tag in (SOP_INSTANCE, STUDY, SERIES):
        elements[tag] = encode.text(tag, b"UI", _uid(survey, tag) or encode.fresh_uid())
    sop_class = _uid(survey, SOP_CLASS)
    if not sop_class:
        elements = _RAW_DATA | elements
    elements[SOP_CLASS] = encode.text(SOP_CLASS, b"UI", sop_class or RAW_DATA_STORAGE)
    elements.update(rules.added)
    return elements


def _bounded(rules: Rules, survey: Survey) -> Iterable[Element]:
    """The top-level elements; without sequences, if those that may stay would fill memory."""
    elements = survey.elements.values()
    if survey.walker.size <= MAX_HEADER:
        return elements
    sequences = [tag for tag, (vrs, _) in rules.keep.items() if vrs[0] == b"SQ"]
    kept = [element for element in elements if element[0] in sequences]
    if sum(end - start for _, _, start, _, end in kept) <= MAX_HEADER:
        return elements
    return [element for element in elements if element not in kept]


def uid_in(elements: Mapping[int, bytes], tag: int) -> str:
    """The value of a UID among `clear_elements`."""
    return elements[tag][8:].rstrip(b"\0").decode("ascii")


def _uid(survey: Survey, tag: int) -> str:
    value = survey.value(tag) or b""
    return value.decode("ascii") if _UID.fullmatch(value) else ""


def _filtered(
    rules: Rules, walker: Walker, elements: Iterable[Element], encoding: Encoding, depth: int
) -> dict[int, bytes]:
    keep, fixed, read, found = rules.keep, rules.fixed, walker.read, {}
    verbatim = encoding is EXPLICIT
    for element in elements:
        tag, vr, start, value, end = element
        kept = keep.get(tag)
        if kept is None:
            if tag in fixed:
                found[tag] = fixed[tag]
            elif tag in rules.terms:
                found[tag] = _term(rules.terms[tag], walker, value, end)
            continue
        vrs, fits = kept
        if vrs[0] == b"SQ":
            sequence = _sequence(rules, walker, element, encoding, depth + 1)
            if sequence is not None:
                found[tag] = sequence
        elif verbatim and vr in vrs and not (end - value) % 2 and end - value <= MAX_VALUE:
            whole = read(start, end)
            fit = fits is None or fits(whole, value - start)
            found[tag] = whole if fit else encode.header(tag, vr, 0)
        else:
            recoded = _recoded(walker, element, encoding, vrs)
            if recoded is not None:
                fit = fits is None or fits(recoded, _value_at(vrs[0]))
                found[tag] = recoded if fit else encode.header(tag, vrs[0], 0)
    return found


def _value_at(vr: bytes) -> int:
    return 12 if vr in LONG_VRS else 8


def _term(terms: Mapping[bytes, bytes], walker: Walker, start: int, end: int) -> bytes:
    """The element of a value that may stay, or the one that stands in."""
    value = walker.read(start, min(end, start + _LONGEST_TERM)).strip(b" \0")
    return terms.get(value) or next(iter(terms.values()))


def _sequence(
    rules: Rules, walker: Walker, element: Element, encoding: Encoding, depth: int
) -> bytes | None:
    """A sequence with what may stay of its items; None if it is none, or damaged."""
    tag, vr, _, value, end = element
    if vr not in (b"SQ", *_UNKNOWN):
        return None
    inner = IMPLICIT if vr == b"UN" else encoding
    items = []
    try:
        for begin, stop in walker.items(value, end, inner, depth):
            inside = walker.elements(begin, stop, inner, depth)
            kept = _filtered(rules, walker, inside, inner, depth)
            items.append(b"".join([kept[number] for number in sorted(kept)]))
    except Malformed:
        return None
    return encode.sequence(tag, items)


def _recoded(
    walker: Walker, element: Element, encoding: Encoding, vrs: tuple[bytes, ...]
) -> bytes | None:
    """An element in the target's encoding; None if its VR or length is not possible."""
    tag, vr, _, start, end = element
    target = vrs[0] if vr in _UNKNOWN else vr
    most = MAX_VALUE if target in LONG_VRS else encode.SHORT_LENGTH
    if target not in vrs or end - start > most:
        return None
    value = walker.read(start, end)
    if encoding.big and target in _SWAPPED:
        words = array(_SWAPPED[target])
        if len(value) % words.itemsize:
            return None
        words.frombytes(value)
        words.byteswap()
        value = words.tobytes()
    return encode.element(tag, target, value)
