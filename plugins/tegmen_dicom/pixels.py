"""How ciphertext lies in native pixels (PS3.3, C.7.6.3; PS3.5, 8.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt

from attrs import frozen

from tegmen.errors import TooLarge
from tegmen_dicom import encode
from tegmen_dicom.frames import NUMBER_OF_FRAMES, Pixels
from tegmen_dicom.survey import ROWS, Survey
from tegmen_dicom.walk import PIXEL_DATA

SAMPLES, PHOTOMETRIC, PLANAR, COLUMNS = 0x00280002, 0x00280004, 0x00280006, 0x00280011
ALLOCATED, STORED, HIGH_BIT, REPRESENTATION = 0x00280100, 0x00280101, 0x00280102, 0x00280103
BURNED_IN = 0x00280301
_USUAL_BITS = (1, 8, 16, 32, 64)
_VR = {0x7FE00008: b"OF", 0x7FE00009: b"OD"}
_GRAY = (b"MONOCHROME1", b"MONOCHROME2", b"PALETTE COLOR")
_COLOUR = (b"RGB", b"YBR_FULL")


@frozen
class Image:
    """Native pixel data that holds the sealed parts.

    Attributes:
        tag: of the pixel data.
        vr: of the pixel data.
        frame: bytes of a frame.
        count: frames.
        elements: what describes it, in place of the source's; empty ones are left out.
    """

    tag: int
    vr: bytes
    frame: int
    count: int
    elements: Mapping[int, bytes]

    @property
    def length(self) -> int:
        """Bytes of the pixel data, without padding."""
        return self.frame * self.count


def image_for(survey: Survey, pixels: Pixels, lengths: Sequence[int]) -> Image:
    """An image like the source's whose frames take the parts of these lengths.

    Raises:
        TooLarge: more than native pixel data can be.
    """
    allocated = survey.number(ALLOCATED) or 0
    if pixels.are_frames and not survey.encapsulated and allocated in _USUAL_BITS:
        image = _same(survey, allocated, lengths)
    else:
        image = _fitted(survey, allocated, lengths)
    if image.length > encode.MAX_LENGTH:
        raise TooLarge(
            f"{image.length} bytes of sealed frames; DICOM pixel data ends at 4 GiB",
            hint="choose the carrier tgm in the profile",
        )
    return image


def _same(survey: Survey, allocated: int, lengths: Sequence[int]) -> Image:
    """The source's own geometry, at full bit depth."""
    tag = survey.pixels[0] if survey.pixels else PIXEL_DATA
    elements = {BURNED_IN: _no_text()}
    if tag == PIXEL_DATA:
        elements |= {
            STORED: encode.number(STORED, allocated),
            HIGH_BIT: encode.number(HIGH_BIT, allocated - 1),
        }
    vr = _VR.get(tag, b"OW" if allocated > 8 else b"OB")
    return Image(tag, vr, lengths[0], len(lengths), elements)


def _fitted(survey: Survey, allocated: int, lengths: Sequence[int]) -> Image:
    """Nearly square frames as large as the longest part, with the source's kind of pixel."""
    bits = allocated if allocated in (8, 16, 32) else 8
    samples = 3 if survey.number(SAMPLES) == 3 else 1
    photometric = survey.value(PHOTOMETRIC) or b""
    if photometric not in (_COLOUR if samples == 3 else _GRAY):
        photometric = b"RGB" if samples == 3 else b"MONOCHROME2"
    size = samples * bits // 8
    needed = max(1, -(-max(lengths) // size))
    columns = isqrt(needed - 1) + 1
    columns += columns % 2  # frames of an even size need no padding between
    rows = -(-needed // columns)
    numbers = {
        SAMPLES: samples,
        ROWS: rows,
        COLUMNS: columns,
        ALLOCATED: bits,
        STORED: bits,
        HIGH_BIT: bits - 1,
        REPRESENTATION: 1 if survey.number(REPRESENTATION) == 1 else 0,
    }
    elements = {tag: encode.number(tag, value) for tag, value in numbers.items()}
    elements[PHOTOMETRIC] = encode.element(PHOTOMETRIC, b"CS", photometric)
    elements[PLANAR] = encode.number(PLANAR, 0) if samples == 3 else b""
    elements[BURNED_IN] = _no_text()
    if len(lengths) > 1 or NUMBER_OF_FRAMES in survey.elements:
        elements[NUMBER_OF_FRAMES] = encode.text(NUMBER_OF_FRAMES, b"IS", str(len(lengths)))
    vr = b"OW" if bits > 8 else b"OB"
    return Image(PIXEL_DATA, vr, rows * columns * size, len(lengths), elements)


def _no_text() -> bytes:
    """Whatever was burned into the image is encrypted with it."""
    return encode.text(BURNED_IN, b"CS", "NO")
