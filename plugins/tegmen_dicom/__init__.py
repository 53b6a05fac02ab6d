"""DICOM: a source that loses no byte, and a carrier that a PACS stores and a viewer shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tegmen.hooks import hookimpl
from tegmen.interfaces import Carrier, Offer, Source
from tegmen_dicom.datasets import open_dataset, seal_dataset

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_dataset", "seal_dataset", "tegmen_carriers", "tegmen_sources"]


@hookimpl
def tegmen_sources() -> Sequence[Offer[Source]]:
    from tegmen_dicom.source import DicomSource

    return [Offer("dicom", lambda _options, _folder: DicomSource())]


@hookimpl
def tegmen_carriers() -> Sequence[Offer[Carrier]]:
    from tegmen_dicom.options import DicomOptions

    return [Offer("dicom", _carrier, DicomOptions)]


def _carrier(options: Any, _folder: Path) -> Carrier:
    from tegmen_dicom.carrier import DicomCarrier

    return DicomCarrier(options)
