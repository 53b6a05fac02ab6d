"""Files as a viewer shows them: the middle frame, and what is written beside it."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from pydicom import Dataset

SIDE: Final = 256
"""Of the square that bytes are drawn as, where nothing can show the file."""


@frozen
class View:
    """What somebody sees who has the file and no key.

    Attributes:
        image: RGB.
        what: what kind of image it is, in words.
        who: whose it is, in words.
    """

    image: Image
    what: str
    who: str


def view(path: str, *, windowed: bool = True) -> View:
    """A file, shown as well as this can.

    Args:
        windowed: whether in the window that the file asks for, or in its full range of values.
    """
    dataset = read(path)
    if dataset is None:
        return _view_file(path)
    frames = int(dataset.get("NumberOfFrames") or 1)
    rows, columns = dataset.get("Rows", 0), dataset.get("Columns", 0)
    what = f"{dataset.get('Modality', 'DICOM')}, {columns} x {rows}"
    if frames > 1:
        what += f", {frames} frames"
    return View(_image(dataset, frames // 2, windowed), what, _who(dataset))


def read(path: str) -> Dataset | None:
    """The dataset of a DICOM file; None for any other file."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a sample is not ours to tell
        try:
            return dcmread(path)
        except InvalidDicomError:
            return None


def _who(dataset: Dataset) -> str:
    wanted = {"PatientName": "name", "PatientID": "ID", "StudyDate": "date"}
    return ", ".join(
        _plain(dataset.get(keyword)) or f"no {word}" for keyword, word in wanted.items()
    )


def _plain(value: object) -> str:
    text = "" if value is None else str(value).replace("^", " ").strip()
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)[:24]


def _image(dataset: Dataset, index: int, windowed: bool) -> Image:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.fromarray(_tones(dataset, index, windowed)).convert("RGB")
    except (AttributeError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return Image.new("RGB", (SIDE, SIDE))  # pydicom cannot decode it here


def _tones(dataset: Dataset, index: int, windowed: bool) -> NDArray[Any]:
    """One frame as a viewer displays it (PS3.3, C.11)."""
    import numpy as np
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
    from pydicom.pixels.utils import pixel_array

    pixels = pixel_array(dataset, index=index)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    elif pixels.ndim == 2 and windowed:
        pixels = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
    elif pixels.ndim == 3 and pixels.dtype == np.uint8:
        return pixels
    tones = pixels.astype(np.float64)
    tones -= tones.min()
    tones *= 255 / (tones.max() or 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        tones = 255 - tones
    return tones.astype(np.uint8)


def _view_file(path: str) -> View:
    from PIL import Image, UnidentifiedImageError

    name, size = os.path.basename(path), os.path.getsize(path)
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        return View(image, f"{name}, {image.width} x {image.height}", "")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return View(_bytes_as_tones(path), f"{name}, {size:,} bytes", "no program can show it")


def _bytes_as_tones(path: str) -> Image:
    from PIL import Image

    with open(path, "rb") as file:
        content = file.read(SIDE * SIDE)
    return Image.frombytes("L", (SIDE, SIDE), content.ljust(SIDE * SIDE, b"\0")).convert("RGB")
