"""Real images for the demo: those that installed packages ship, never one from the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from tegmen.cli.demo.needs import missing_package
from tegmen.cli.demo.viewing import read
from tegmen.errors import InputError, OutputError

PURPOSE: Final = {"purpose": "teleradiology"}
CASE: Final = {"case": "2024-117"}

CANDIDATES: Final = {
    "ct.dcm": ("693_UNCR.dcm", "CT_small.dcm"),
    "mr.dcm": ("MR-SIEMENS-DICOM-WithOverlays.dcm", "MR_small.dcm"),
    "ultrasound.dcm": ("color3d_jpeg_baseline.dcm", "examples_ybr_color.dcm"),
}
"""Names of pydicom-data, then of pydicom itself: CT, MR, and many frames in colour."""


@frozen
class Sample:
    """One file of the demo.

    Attributes:
        path: a copy of its own.
        declared: what the caller says of it, for the rules.
        context: what it will be bound to.
    """

    path: str
    declared: Mapping[str, str]
    context: Mapping[str, str]

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def shipped(folder: str) -> list[Sample]:
    """Copies of the shipped images in `folder`; the last one is to leave the hospital.

    Raises:
        PluginError: a package is missing.
    """
    samples = [
        _sample(found, os.path.join(folder, name))
        for name, candidates in CANDIDATES.items()
        if (found := _first(candidates))
    ]
    if not samples:
        raise missing_package("pydicom-data")
    *others, last = samples
    return [*others, Sample(last.path, PURPOSE, CASE)]


def given(file: str, folder: str) -> list[Sample]:
    """A copy of one file; and a second time, if it is DICOM, as if it left the hospital.

    Raises:
        InputError: it cannot be read.
    """
    sample = _sample(file, os.path.join(folder, os.path.basename(file)))
    dataset = read(sample.path)
    if dataset is None or "SOPClassUID" not in dataset:
        return [sample]
    return [sample, _sample(file, os.path.join(folder, f"sent-{sample.name}"), PURPOSE, CASE)]


def _sample(
    source: str,
    target: str,
    declared: Mapping[str, str] | None = None,
    context: Mapping[str, str] | None = None,
) -> Sample:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if error.filename == target:
            raise OutputError(f"cannot write {target}: {error.strerror}") from error
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    return Sample(target, declared or {}, context or {})


def _first(candidates: tuple[str, ...]) -> str | None:
    try:
        from pydicom.data import get_testdata_file
    except ImportError as error:
        raise missing_package("pydicom") from error
    for name in candidates:
        try:
            found = get_testdata_file(name, download=False)
        except ValueError:  # nobody has it
            continue
        if found:
            return str(found)
    return None
