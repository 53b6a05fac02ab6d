"""Which bytes of pixel data are which frame."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import islice

from attrs import frozen

from tegmen_dicom.survey import NATIVE_UIDS, Survey
from tegmen_dicom.walk import IMPLICIT, Malformed

NUMBER_OF_FRAMES = 0x00280008
EXTENDED_OFFSETS = 0x7FE00001
MAX_FRAMES = 1 << 18
MAX_PADDED, ALWAYS_PADDED = 4, 64 << 20
"""Frames of unequal length are padded to the longest, as long as all of them together become no
more than four times as much, or 64 MiB; else they are one stretch, and none is read alone."""

_DELIMITER = b"\xfe\xff\xdd\xe0"

Stretch = tuple[int, int]
"""(offset, length) in the file."""


@frozen
class Pixels:
    """Stretches of a file that hold image, in order; everything else describes them.

    Attributes:
        stretches: one for each frame, or one for all when frames cannot be told apart.
        are_frames: which of the two it is.
    """

    stretches: Sequence[Stretch]
    are_frames: bool


def pixels_of(survey: Survey) -> Pixels:
    """Divide a file's pixel data.

    Raises:
        Malformed: the pixel data is not what the dataset says.
    """
    if survey.problem:
        raise Malformed(survey.problem)
    if survey.pixels is None:
        raise Malformed("there is no pixel data")
    if survey.encapsulated:
        return _encapsulated(survey)
    _, _, _, value, end = survey.pixels
    if survey.transfer_syntax not in NATIVE_UIDS and survey.transfer_syntax:
        return Pixels([(value, end - value)], are_frames=False)
    frame_bits, count = native_geometry(survey)
    total = (frame_bits * count + 7) // 8
    if (frame_bits % 8 and count > 1) or count > MAX_FRAMES:
        return Pixels([(value, total)], are_frames=False)
    length = total // count
    starts = range(value, value + total, length)
    return Pixels([(start, length) for start in starts], are_frames=True)


def native_geometry(survey: Survey) -> tuple[int, int]:
    """Bits of a native frame and number of frames, in accord with the length of pixel data.

    Raises:
        Malformed: Rows, Columns, Samples per Pixel, Bits Allocated, Number of Frames and the
            length do not go together (PS3.5, 8.1; PS3.3, C.7.6.3).
    """
    if survey.pixels is None:
        raise Malformed("there is no pixel data")
    length = survey.pixels[4] - survey.pixels[3]
    rows, columns, bits = (survey.number(tag) or 0 for tag in (0x00280010, 0x00280011, 0x00280100))
    samples = survey.number(0x00280002) or 1
    count = _frame_count(survey)
    pixels = rows * columns * bits
    for frame_bits in (pixels * samples, pixels * 2 if samples == 3 else 0):  # 3, or 4:2:2
        total = (frame_bits * count + 7) // 8
        if total and length in (total, total + total % 2):
            return frame_bits, count
    raise Malformed(
        f"{length} bytes of pixel data, but {count} frames of {rows} x {columns} pixels, "
        f"{samples} x {bits} bits each"
    )


def _frame_count(survey: Survey) -> int:
    if NUMBER_OF_FRAMES not in survey.elements:
        return 1
    text = survey.value(NUMBER_OF_FRAMES)
    if text == b"":
        return 1
    if text is None or len(text) > 12 or not text.isdigit() or not 0 < int(text) < 1 << 31:
        raise Malformed("Number of Frames is no number")
    return int(text)


def _encapsulated(survey: Survey) -> Pixels:
    table, fragments = _fragments(survey)
    firsts = _first_fragments(survey, table, fragments)
    whole = _joined(fragments[0], fragments[-1])
    if firsts is None:
        return Pixels([whole], are_frames=False)
    lasts = [index - 1 for index in firsts[1:]] + [len(fragments) - 1]
    frames = [_joined(fragments[a], fragments[b]) for a, b in zip(firsts, lasts, strict=True)]
    padded = max(length for _, length in frames) * len(frames)
    if padded > max(MAX_PADDED * whole[1], ALWAYS_PADDED):
        return Pixels([whole], are_frames=False)
    return Pixels(frames, are_frames=True)


def _joined(first: Stretch, last: Stretch) -> Stretch:
    """From the first byte of one fragment to the last of another."""
    return first[0], last[0] + last[1] - first[0]


def _fragments(survey: Survey) -> tuple[bytes, list[Stretch]]:
    """The Basic Offset Table, and the values of the fragments after it (PS3.5, A.4)."""
    walker = survey.walker
    if survey.pixels is None:
        raise Malformed("there is no pixel data")
    items = walker.items(survey.pixels[3], walker.size, IMPLICIT)
    start, stop = next(items, (0, 0))
    table = walker.read(start, stop) if stop - start <= 4 * MAX_FRAMES else b""
    fragments = [(start, stop - start) for start, stop in islice(items, MAX_FRAMES + 1)]
    if not 0 < len(fragments) <= MAX_FRAMES:
        raise Malformed("encapsulated pixel data has no fragment, or more than any image")
    end = sum(fragments[-1])
    if walker.read(end, end + 4) != _DELIMITER:
        raise Malformed("encapsulated pixel data without an end")
    return table, fragments


def _first_fragments(
    survey: Survey, table: bytes, fragments: Sequence[Stretch]
) -> list[int] | None:
    """Index of the first fragment of each frame; None when nothing tells."""
    count = _frame_count(survey)
    if count == 1:
        return [0]
    if count > min(MAX_FRAMES, len(fragments)):
        return None
    base = fragments[0][0]
    at = {start - base: index for index, (start, _) in enumerate(fragments)}
    firsts = [at.get(offset, -1) for offset in _extended_offsets(survey) or _unpack("L", table)]
    if len(firsts) == count and firsts[0] == 0 and firsts == sorted(set(firsts)):
        return firsts
    return list(range(count)) if count == len(fragments) else None


def _extended_offsets(survey: Survey) -> Sequence[int]:
    """The Extended Offset Table (PS3.3, C.7.6.3.1.8)."""
    element = survey.elements.get(EXTENDED_OFFSETS)
    if element is None or element[4] - element[3] > 8 * MAX_FRAMES:
        return ()
    return _unpack("Q", survey.walker.read(element[3], element[4]))


def _unpack(code: str, data: bytes) -> Sequence[int]:
    size = struct.calcsize("<" + code)
    return struct.unpack(f"<{len(data) // size}{code}", data[: len(data) // size * size])
