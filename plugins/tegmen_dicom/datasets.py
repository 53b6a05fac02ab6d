"""Sealing and opening pydicom's datasets."""

from __future__ import annotations

from copy import copy
from io import BytesIO
from typing import TYPE_CHECKING, Any

from tegmen_dicom.encode import TRANSFER_SYNTAX_UID

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tegmen import Sealer


def seal_dataset(sealer: Sealer, ds: Dataset, **options: Any) -> Dataset:
    """Seal a dataset in memory.

    Args:
        options: as `Sealer.seal` takes them: `profile`, `context`, `attributes`. The profile's
            carrier must be `dicom`.

    Returns:
        The sealed object; `open_dataset` gives back a dataset equal to `ds`.

    Raises:
        TegmenError: as `Sealer.seal` does.
    """
    target = BytesIO()
    sealer.seal(_written(ds), target, **options)
    return _read(target)


def open_dataset(sealer: Sealer, sealed: Dataset | bytes, **options: Any) -> Dataset:
    """Open a sealed object in memory.

    Args:
        sealed: a dataset, or the bytes of a file.
        options: as `Sealer.open` takes them.

    Raises:
        TegmenError: as `Sealer.open` does.
    """
    source = sealed if isinstance(sealed, bytes) else _written(sealed)
    target = BytesIO()
    sealer.open(source, target, **options)
    return _read(target)


def _written(ds: Dataset) -> bytes:
    from pydicom import dcmwrite

    file = BytesIO()
    dcmwrite(file, _with_syntax(ds), enforce_file_format=True)
    return file.getvalue()


def _with_syntax(ds: Dataset) -> Dataset:
    """`ds`, or a shallow copy that says how it is to be encoded."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    if "TransferSyntaxUID" in getattr(ds, "file_meta", ()):
        return ds
    ds = copy(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(TRANSFER_SYNTAX_UID)
    return ds


def _read(file: BytesIO) -> Dataset:
    from pydicom import dcmread

    file.seek(0)
    return dcmread(file)
