"""A DICOM file as byte ranges: frames, and all the rest; never re-encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

from attrs import field, frozen

from tegmen import canonical
from tegmen.errors import FormatError, InputError
from tegmen.files import JoinedReader
from tegmen.interfaces import Item, OpenedParts, Part, Reader, Sink
from tegmen.manifest import Expanded
from tegmen_dicom.facts import facts
from tegmen_dicom.frames import Pixels, pixels_of
from tegmen_dicom.survey import MAX_HEADER, Survey, plausible, survey
from tegmen_dicom.walk import Malformed

MEDIA_TYPE = "application/dicom"

_OPAQUE = Pixels((), are_frames=False)


@frozen
class Detail:
    """What the carrier needs to know of a loaded file.

    Attributes:
        pixels: what the parts after the header are; empty when the file is one opaque part.
    """

    survey: Survey
    pixels: Pixels


@frozen
class DicomSource:
    """Takes every DICOM file; one whose structure does not hold is sealed as opaque bytes.

    The first part is everything that is not image, joined; then comes one part a frame, or
    one part for all frames where they cannot be told apart. An opaque file is one part.
    """

    kind: str = field(default="dicom", init=False)

    def detects(self, reader: Reader, _name: str, /) -> bool:
        return plausible(reader)

    def load(self, reader: Reader, name: str, /) -> Item:
        if not plausible(reader):
            raise InputError(
                f"{name or 'the input'} is not a DICOM file", hint="seal it as a plain file"
            )
        found = survey(reader)
        pixels = _pixels(found, reader.size)
        return Item(
            source=self.kind,
            name=name,
            media_type=MEDIA_TYPE,
            attributes=facts(found),
            parts=_parts(reader, pixels),
            note=_note(pixels.stretches, reader.size),
            detail=Detail(found, pixels),
        )

    def restore(self, note: bytes, parts: OpenedParts, sink: Sink, /) -> None:
        gaps = _read_note(note, parts.lengths)
        if not gaps:
            parts.copy(0, sink)
            return
        rest = memoryview(parts.read(0))
        position = 0
        for index, gap in enumerate(gaps):
            if index:
                parts.copy(index, sink)
            sink.write(rest[position : position + gap])
            position += gap


def _pixels(found: Survey, size: int) -> Pixels:
    """The frames of a file; none if it must be opaque.

    As it must if the first part would be too much for `restore`, which has it in memory.
    """
    if found.deflated:
        return _OPAQUE
    try:
        pixels = pixels_of(found)
    except Malformed:
        return _OPAQUE
    rest = size - sum(length for _, length in pixels.stretches)
    return pixels if rest <= MAX_HEADER else _OPAQUE


def _parts(reader: Reader, pixels: Pixels) -> list[Part]:
    if not pixels.stretches:
        return [Part("data", reader.size, reader)]
    extents, position = [], 0
    for start, length in pixels.stretches:
        extents.append((reader, position, start - position))
        position = start + length
    extents.append((reader, position, reader.size - position))
    rest = JoinedReader(extents)
    parts = [Part("header", rest.size, rest)]
    kind: Literal["frame", "data"] = "frame" if pixels.are_frames else "data"
    parts += [Part(kind, length, reader, start) for start, length in pixels.stretches]
    return parts


# --------------------------------------------------------------------------- the note
# Deterministic CBOR: runs of the stretches of the first part, [count, length, count, length, ...]
# in order; a frame follows each but the last. `[]` where the only part is the file.


def _note(stretches: Sequence[tuple[int, int]], size: int) -> bytes:
    if not stretches:
        return canonical.encode([])
    runs = [(sum(1 for _ in same), gap) for gap, same in groupby(_gaps(stretches, size))]
    return canonical.encode(canonical.flat(runs))


def _gaps(stretches: Sequence[tuple[int, int]], size: int) -> Iterator[int]:
    position = 0
    for start, length in stretches:
        yield start - position
        position = start + length
    yield size - position


def _read_note(note: bytes, lengths: Sequence[int]) -> Sequence[int]:
    what = "the note of a DICOM file"
    runs = canonical.runs(canonical.decode(note, what), what)
    gaps = sum(count for count, _ in runs)
    total = sum(count * gap for count, gap in runs)
    if len(lengths) != (gaps or 1) or (runs and total != lengths[0]):
        raise FormatError(f"{what} speaks of {gaps} stretches and {total} bytes, not of this one")
    return Expanded(runs)
