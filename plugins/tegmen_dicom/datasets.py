"""Sealing and opening pydicom's datasets."""

from __future__ import annotations

from copy import copy, deepcopy
from io import BytesIO
from typing import TYPE_CHECKING, Any

from tegmen.errors import InputError, PolicyRefused
from tegmen_dicom.encode import TRANSFER_SYNTAX_UID

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tegmen import Sealer


def seal_dataset(sealer: Sealer, ds: Dataset, **options: Any) -> Dataset:
    """Seal a dataset in memory.

    Args:
        ds: without file meta information it is written in Explicit VR Little Endian. Not changed.
        options: as `Sealer.seal` takes them: `profile`, `context`, `attributes`, `name`.

    Returns:
        The sealed object; `open_dataset` gives back a dataset equal to `ds`.

    Raises:
        InputError: pydicom cannot write `ds`.
        PolicyRefused: the profile's carrier is not `dicom`, so the result would be no dataset.
        TegmenError: as `Sealer.seal` does.
    """
    written, target = _written(ds), BytesIO()
    asked = {key: options[key] for key in ("attributes", "profile", "name") if key in options}
    profile = sealer.explain(source=written, **asked).profile
    if profile.carrier != "dicom":
        raise PolicyRefused(
            f"profile {profile.name} seals into {profile.carrier}, which is no dataset",
            hint='choose a profile with carrier = "dicom", or use Sealer.seal for a file',
        )
    sealer.seal(written, target, **options)
    return _read(target)


def open_dataset(
    sealer: Sealer, sealed: Dataset | bytes | bytearray | memoryview, **options: Any
) -> Dataset:
    """Open a sealed object in memory.

    Args:
        sealed: a dataset, or the bytes of a file.
        options: as `Sealer.open` takes them: `context`.

    Raises:
        InputError: pydicom cannot write `sealed`, or what was sealed is no DICOM object.
        TegmenError: as `Sealer.open` does.
    """
    from pydicom.dataset import Dataset

    target = BytesIO()
    source = _written(sealed) if isinstance(sealed, Dataset) else sealed
    receipt = sealer.open(source, target, **options)
    if receipt.source != "dicom":
        raise InputError(
            f"what was sealed is a {receipt.source}, not a DICOM object",
            hint="use Sealer.open to restore it",
        )
    return _read(target)


def _written(ds: Dataset) -> bytes:
    from pydicom import dcmwrite

    file = BytesIO()
    try:
        dcmwrite(file, _with_syntax(ds), enforce_file_format=True)
    except Exception as error:  # of any type, and its text may hold values
        raise InputError(
            f"pydicom cannot write this dataset as a file: {type(error).__name__}",
            hint="give it SOPClassUID, SOPInstanceUID and values that fit; dcmwrite says which",
        ) from error
    return file.getvalue()


def _with_syntax(ds: Dataset) -> Dataset:
    """`ds`, or a shallow copy that says how it is to be encoded."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    meta = getattr(ds, "file_meta", None)
    if meta is not None and "TransferSyntaxUID" in meta:
        return ds
    ds = copy(ds)
    ds.file_meta = FileMetaDataset() if meta is None else deepcopy(meta)
    ds.file_meta.TransferSyntaxUID = UID(TRANSFER_SYNTAX_UID)
    return ds


def _read(file: BytesIO) -> Dataset:
    from pydicom import dcmread

    file.seek(0)
    try:
        return dcmread(file, force=True)
    except Exception as error:  # of any type, and its text may hold values
        raise InputError(
            f"pydicom cannot read what was sealed: {type(error).__name__}",
            hint="use Sealer.open to restore it as a file",
        ) from error
