"""One picture of the whole demo: the originals, and below each what others see of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tegmen.cli.demo.viewing import View, view

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from tegmen.cli.demo.story import Sealed

PAPER, INK, QUIET = "#f7f9fb", "#1d2a38", "#66727f"
"""Colours of the paper, of text, and of text that matters less."""
OPEN, CLOSED = "#2c7a7b", "#9c4a3c"
"""Colours of what anybody can read, and of what nobody can."""
SCALE = 2
"""Pixels in a unit of length; everything below is in units."""
TILE, GAP, MARGIN, LINE = 360, 32, 56, 22
HEAD, LABEL, CAPTION = 138, 34, 100


def of(sealed: Sequence[Sealed]) -> Image:
    """The picture of what was sealed, a column each."""
    from PIL import Image, ImageDraw

    width = 2 * MARGIN + len(sealed) * (TILE + GAP) - GAP
    row = LABEL + TILE + CAPTION
    picture = Image.new("RGB", (width * SCALE, (HEAD + 2 * row) * SCALE), PAPER)
    pen = ImageDraw.Draw(picture)
    _write(pen, MARGIN, 34, "Sealed, and restored bit for bit", 25, INK)
    _write(pen, MARGIN, 74, "Above: as it was, and as it comes back.", 15, QUIET)
    _write(pen, MARGIN, 96, "Below: what a PACS stores, and anyone sees.", 15, QUIET)
    for index, one in enumerate(sealed):
        left = MARGIN + index * (TILE + GAP)
        _cell(picture, left, HEAD, OPEN, "ORIGINAL", view(one.sample.path))
        below = HEAD + row
        _cell(picture, left, below, CLOSED, "SEALED", view(one.path, windowed=False))
        told = f"profile {one.receipt.profile}"
        _write(pen, left, below + LABEL + TILE + 10 + 2 * LINE, told, 14, QUIET)
    return picture


def _cell(picture: Image, left: int, top: int, colour: str, label: str, shown: View) -> None:
    """A label, the image, and two lines of what is written beside it."""
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    _write(pen, left, top + 6, label, 13, colour)
    at = (left * SCALE, (top + LABEL) * SCALE)
    picture.paste(_tile(shown.image), at, _rounded())
    _write(pen, left, top + LABEL + TILE + 10, shown.what, 15, INK)
    _write(pen, left, top + LABEL + TILE + 10 + LINE, shown.who, 14, colour)


def _tile(image: Image) -> Image:
    """A square of black with the image in its middle, as large as fits."""
    from PIL import Image, ImageOps

    side = TILE * SCALE
    small = image.width < side // 2  # its pixels are shown as they are, not smoothed
    how = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return ImageOps.pad(image, (side, side), how, color="black")


def _rounded() -> Image:
    """The shape of a tile."""
    from PIL import Image, ImageDraw

    side = TILE * SCALE
    shape = Image.new("L", (side, side))
    ImageDraw.Draw(shape).rounded_rectangle((0, 0, side - 1, side - 1), 8 * SCALE, fill=255)
    return shape


def _write(pen: ImageDraw, x: int, y: int, text: str, size: int, colour: str) -> None:
    from PIL import ImageFont

    pen.text((x * SCALE, y * SCALE), text, colour, ImageFont.load_default(size * SCALE))
