"""Whoever changes the readable part of a sealed object is noticed; who only encodes it is not."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tegmen import Sealer, canonical
from tegmen.errors import FormatError, NotSealed
from tegmen.files import MemoryReader
from tegmen.interfaces import Witness
from tegmen.testing.containers import pack
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.source import DicomSource

Run = Callable[..., subprocess.CompletedProcess[str]]
NAMES = ["CT_small.dcm", "JPEG2000.dcm", "emri_small.dcm", "rtplan.dcm", "MR_small_bigendian.dcm"]


@pytest.fixture(params=NAMES)
def any_sealed(request: pytest.FixtureRequest, find: Callable[[str], Path]) -> tuple[bytes, bytes]:
    return sealed_of(find(request.param))


@pytest.fixture
def sealed(find: Callable[[str], Path]) -> tuple[bytes, bytes]:
    return sealed_of(find("CT_small.dcm"))


def sealed_of(path: Path) -> tuple[bytes, bytes]:
    """The note, and the object."""
    item = DicomSource().load(MemoryReader(path.read_bytes()), path.name)
    return DicomCarrier().plan(item).note, pack(DicomCarrier(), item)[1]


def changed(note: bytes, data: bytes) -> list[str]:
    return list(DicomCarrier().changed(MemoryReader(data), note))


def saved(ds: Dataset, **options: Any) -> bytes:
    file = io.BytesIO()
    ds.save_as(file, **options)
    return file.getvalue()


def after(data: bytes, change: Callable[[Dataset], object]) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    change(ds)
    return saved(ds)


def test_the_carrier_is_a_witness() -> None:
    assert isinstance(DicomCarrier(), Witness)


@pytest.mark.parametrize(
    "options",
    [
        ("dcmconv", "+ti"),
        ("dcmconv", "+te", "-e"),
        ("dcmconv", "+ti", "+g"),
        ("dcmconv", "+te", "+g", "+p", "128", "64"),
        ("gdcmconv", "-M"),
        ("gdcmconv", "-X"),
    ],
    ids=" ".join,
)
def test_encoding_is_no_change(
    run: Run, tmp_path: Path, any_sealed: tuple[bytes, bytes], options: tuple[str, ...]
) -> None:
    note, data = any_sealed
    (tmp_path / "a.dcm").write_bytes(data)
    tool, *flags = options
    done = run(tool, *flags, tmp_path / "a.dcm", tmp_path / "b.dcm")
    assert done.returncode == 0, done.stderr
    encoded = (tmp_path / "b.dcm").read_bytes()
    assert encoded != data
    assert changed(note, encoded) == []


def test_private_attributes_are_the_archives_own(sealed: tuple[bytes, bytes]) -> None:
    note, data = sealed
    assert changed(note, after(data, lambda ds: ds.add_new(0x00091001, "LO", "x"))) == []


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("PatientName", "WRONG^PATIENT", "PatientName (0010,0010)"),
        ("PatientSex", "F", "PatientSex (0010,0040)"),
        ("Modality", "MR", "Modality (0008,0060)"),
        ("Modality", "", "Modality (0008,0060)"),
        ("RescaleSlope", "2", "RescaleSlope (0028,1053)"),
        ("PixelRepresentation", 0x0100, "PixelRepresentation (0028,0103)"),
        ("PixelRepresentation", 0x2000, "PixelRepresentation (0028,0103)"),
        ("StudyDescription", "added", "StudyDescription (0008,1030)"),
        ("PatientComments", "x" * 2000, "PatientComments (0010,4000)"),
    ],
)
def test_a_change_is_named_and_its_value_is_not(
    sealed: tuple[bytes, bytes], keyword: str, value: str | int, name: str
) -> None:
    note, data = sealed
    assert changed(note, after(data, lambda ds: setattr(ds, keyword, value))) == [name]


def test_what_is_missing_is_named(sealed: tuple[bytes, bytes]) -> None:
    note, data = sealed
    without = after(data, lambda ds: ds.pop("PixelSpacing"))
    assert changed(note, without) == ["PixelSpacing (0028,0030)"]
    empty = after(data, lambda ds: ds.pop("PatientName"))
    assert changed(note, empty) == [], "it was empty, and says as much when it is absent"


def test_sequences_are_there_or_not(sealed: tuple[bytes, bytes]) -> None:
    note, data = sealed
    item = Dataset()
    item.PatientName = "Added^By"
    added = after(data, lambda ds: setattr(ds, "OtherPatientIDsSequence", Sequence([item])))
    assert changed(note, added) == ["OtherPatientIDsSequence (0010,1002)"]
    gone = after(data, lambda ds: ds.pop("DeidentificationMethodCodeSequence"))
    assert changed(note, gone) == ["DeidentificationMethodCodeSequence (0012,0064)"]


@pytest.mark.parametrize("tags", ["0010,0010", "0010,0010 0010,0020"])
def test_the_receipt_warns(
    sealer: Sealer, find: Callable[[str], Path], run: Run, tmp_path: Path, tags: str
) -> None:
    source, path = find("CT_small.dcm"), tmp_path / "sealed.dcm"
    sealer.seal(source, path)
    assert sealer.verify(path).warnings == ()
    for tag in tags.split():
        assert run("dcmodify", "-nb", "-m", f"{tag}=WRONG", path).returncode == 0
    back = tmp_path / "back.dcm"
    for receipt in (sealer.open(path, back), sealer.verify(path)):
        assert len(receipt.warnings) == len(tags.split())
        assert receipt.warnings[0] == "PatientName (0010,0010) is not what was sealed"
        assert "WRONG" not in str(receipt)
    assert back.read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    "note",
    [b"\xa0", b"\x80", b"\xff", canonical.encode({0: 1}), canonical.encode({0: b"\x08\0"}),
     canonical.encode({0: b"\x10\0\x10\0PN\xff\x7f"})],
)  # fmt: skip
def test_a_note_of_another_form_is_refused(sealed: tuple[bytes, bytes], note: bytes) -> None:
    with pytest.raises(FormatError):
        changed(note, sealed[1])


def test_every_byte_may_be_damaged(sealed: tuple[bytes, bytes]) -> None:
    """What still opens is compared, or refused; some damage is only to file meta or padding."""
    note, data = sealed
    noticed = 0
    for position in range(132, 1500, 3):
        damaged = bytearray(data)
        damaged[position] ^= 0x41
        try:
            DicomCarrier().unpack(MemoryReader(bytes(damaged)))
        except (FormatError, NotSealed):
            continue
        noticed += bool(changed(note, bytes(damaged)))
    assert noticed > 150
