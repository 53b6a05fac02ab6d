"""DICOM end to end: sealed through the core, opened again, and seen by nobody in between."""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tegmen import IntegrityError, Sealer
from tegmen.errors import ConfigError, InputError, NotSealed, PolicyRefused
from tegmen.files import reading
from tegmen.testing.fakes import FleetingReader
from tegmen_dicom import open_dataset, seal_dataset

ANY = "ignore::UserWarning"
WIDE = """
[profiles.wide]
cipher = "aes-256-gcm"
carrier = "dicom"
recipients = ["local/images"]
"""


def seal(sealer: Sealer, data: bytes, **options: str) -> bytes:
    target = io.BytesIO()
    sealer.seal(data, target, **options)  # type: ignore[arg-type]
    return target.getvalue()


def opened(sealer: Sealer, sealed: bytes) -> bytes:
    target = io.BytesIO()
    sealer.open(sealed, target)
    return target.getvalue()


@pytest.mark.parametrize("profile", ["dicom", "tgm"])
def test_every_real_file_comes_back(sealer: Sealer, real_file: Path, profile: str) -> None:
    data = real_file.read_bytes()
    back = io.BytesIO()
    receipt = sealer.open(seal(sealer, data, profile=profile), back)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(data).digest()
    assert receipt.warnings == (), "nobody has changed it"


def test_paths(sealer: Sealer, tmp_path: Path, find: Callable[[str], Path]) -> None:
    source = find("CT_small.dcm")
    receipt = sealer.seal(source, tmp_path / "sealed.dcm")
    assert (receipt.rule, receipt.carrier, receipt.parts, receipt.verified) == (
        "ct", "dicom", 2, True,
    )  # fmt: skip
    assert receipt.sealed_size == (tmp_path / "sealed.dcm").stat().st_size
    assert sealer.sealed_size(source) == receipt.sealed_size
    assert sealer.inspect(tmp_path / "sealed.dcm").carrier == "dicom"
    sealer.open(tmp_path / "sealed.dcm", tmp_path / "back.dcm")
    assert (tmp_path / "back.dcm").read_bytes() == source.read_bytes()


def test_one_frame_is_read_alone(sealer: Sealer, find: Callable[[str], Path]) -> None:
    data = find("emri_small.dcm").read_bytes()
    sealed = seal(sealer, data)
    ds = pydicom.dcmread(find("emri_small.dcm"))
    assert sealer.open_part(sealed, 7) == ds.PixelData[6 * 8192 : 7 * 8192]


def test_one_frame_needs_few_bytes(sealer: Sealer, find: Callable[[str], Path]) -> None:
    sealed = seal(sealer, find("color3d_jpeg_baseline.dcm").read_bytes())
    reader = FleetingReader(sealed)
    with reading(reader), sealer.opened(reader) as item:  # type: ignore[arg-type]
        assert item.read(60).startswith(b"\xff\xd8")
    assert reader.viewed < len(sealed) / 20


def test_a_real_ct_becomes_noise(sealer: Sealer, find: Callable[[str], Path]) -> None:
    def entropy(data: bytes) -> float:
        counts = Counter(data).values()
        return -sum(n / len(data) * math.log2(n / len(data)) for n in counts)

    original = pydicom.dcmread(find("693_UNCI.dcm"))
    sealed = pydicom.dcmread(io.BytesIO(seal(sealer, find("693_UNCI.dcm").read_bytes())))
    assert entropy(original.PixelData) < 6
    assert entropy(sealed.PixelData) > 7.99


@pytest.mark.filterwarnings(ANY)
def test_no_identity_is_in_the_sealed_file(sealer: Sealer, real_file: Path) -> None:
    ds = pydicom.dcmread(real_file, force=True, stop_before_pixels=True)
    sealed = seal(sealer, real_file.read_bytes(), profile="dicom")
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "ReferringPhysicianName",
        "InstitutionName", "StudyDescription", "SeriesDescription", "AccessionNumber",
        "OperatorsName", "StationName", "DeviceSerialNumber",
    ):  # fmt: skip
        value = str(ds.get(keyword) or "").encode()
        if len(value) >= 6 and not _is_public(ds, value):
            assert value not in sealed, keyword


def _is_public(ds: Dataset, value: bytes) -> bool:
    """Whether what stays readable says the same: test files repeat themselves."""
    public = [
        ds.get(keyword)
        for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Manufacturer",
                        "ManufacturerModelName", "FrameOfReferenceUID")
    ]  # fmt: skip
    return any(value in str(text or "").encode() for text in public)


@pytest.mark.parametrize("offset", [-1, -20_000, 5000])
def test_a_flipped_bit_is_refused(sealer: Sealer, find: Callable[[str], Path], offset: int) -> None:
    sealed = bytearray(seal(sealer, find("CT_small.dcm").read_bytes()))
    sealed[offset] ^= 1
    with pytest.raises(IntegrityError):
        opened(sealer, bytes(sealed))


def test_swapped_frames_are_refused(sealer: Sealer, find: Callable[[str], Path]) -> None:
    sealed = bytearray(seal(sealer, find("emri_small.dcm").read_bytes()))
    first, second = sealed[-2 * 8192 : -8192], sealed[-8192:]
    sealed[-2 * 8192 :] = second + first
    with pytest.raises(IntegrityError):
        opened(sealer, bytes(sealed))


def test_an_object_that_is_not_sealed(sealer: Sealer, find: Callable[[str], Path]) -> None:
    with pytest.raises(NotSealed):
        opened(sealer, find("CT_small.dcm").read_bytes())


def test_options_of_a_profile(
    make_sealer: Callable[[str], Sealer], find: Callable[[str], Path]
) -> None:
    options = '[profiles.wide.options.dicom]\nclear = "minimal"\nkeep = ["StudyDescription"]\n'
    sealer = make_sealer(WIDE + options)
    data = find("CT_small.dcm").read_bytes()
    sealed = seal(sealer, data, profile="wide")
    ds = pydicom.dcmread(io.BytesIO(sealed))
    assert ds.StudyDescription == "e+1"
    assert "Manufacturer" not in ds
    assert opened(sealer, sealed) == data


@pytest.mark.parametrize(
    "options", ['clear = "all"', 'keep = ["Nonsense"]', 'uids = "derive"', "keep = 3", "x = 1"]
)
def test_options_that_are_wrong(
    make_sealer: Callable[[str], Sealer], find: Callable[[str], Path], options: str
) -> None:
    with pytest.raises(ConfigError):
        sealer = make_sealer(WIDE + f"[profiles.wide.options.dicom]\n{options}\n")
        seal(sealer, find("CT_small.dcm").read_bytes(), profile="wide")


# --------------------------------------------------------------------------- datasets


@pytest.mark.filterwarnings(ANY)
@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_implicit.dcm", "SC_rgb_rle_2frame.dcm", "rtplan.dcm",
     "MR_small_expb.dcm", "emri_small.dcm"],
)  # fmt: skip
def test_datasets(sealer: Sealer, find: Callable[[str], Path], name: str) -> None:
    ds = pydicom.dcmread(find(name))
    before = pydicom.dcmread(find(name))
    sealed = seal_dataset(sealer, ds, profile="dicom")
    assert sealed.PatientName == ""
    assert ("PixelData" in sealed) == ("PixelData" in ds)
    back = open_dataset(sealer, sealed)
    assert back == ds
    assert back.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert ds == before, "sealing changed its source"


def test_datasets_from_bytes(sealer: Sealer, find: Callable[[str], Path]) -> None:
    data = find("CT_small.dcm").read_bytes()
    assert open_dataset(sealer, seal(sealer, data)) == pydicom.dcmread(io.BytesIO(data))


def test_a_dataset_made_in_memory(sealer: Sealer) -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    ds.PatientName = "Nobody^Else"
    assert open_dataset(sealer, seal_dataset(sealer, ds)) == ds
    assert not hasattr(ds, "file_meta")


def test_file_meta_without_a_transfer_syntax(sealer: Sealer, find: Callable[[str], Path]) -> None:
    ds = pydicom.dcmread(find("CT_small.dcm"))
    del ds.file_meta.TransferSyntaxUID
    ds.file_meta.SourceApplicationEntityTitle = "SOMEWHERE"
    back = open_dataset(sealer, seal_dataset(sealer, ds))
    assert back == ds
    assert back.file_meta.SourceApplicationEntityTitle == "SOMEWHERE"
    assert "TransferSyntaxUID" not in ds.file_meta


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_buffers_are_opened(
    sealer: Sealer, find: Callable[[str], Path], kind: Callable[[bytes], bytes]
) -> None:
    sealed = seal(sealer, find("CT_small.dcm").read_bytes())
    assert open_dataset(sealer, kind(sealed)).PatientID == "1CT1"


def test_a_dataset_that_is_no_file_is_refused(sealer: Sealer) -> None:
    ds = Dataset()
    ds.PatientName = "Nobody^Else"
    with pytest.raises(InputError, match="cannot write this dataset") as error:
        seal_dataset(sealer, ds)
    assert "SOPClassUID" in error.value.hint
    assert "Nobody" not in str(error.value)


def test_another_carrier_is_no_dataset(
    sealer: Sealer, find: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed: list[object] = []
    monkeypatch.setattr(Sealer, "seal", lambda *args, **_: sealed.append(args))
    ds = pydicom.dcmread(find("CT_small.dcm"))
    with pytest.raises(PolicyRefused, match="seals into tgm"):
        seal_dataset(sealer, ds, profile="tgm")
    assert sealed == []


def test_what_was_sealed_is_no_dataset(sealer: Sealer) -> None:
    sealed = seal(sealer, b"text", profile="tgm")
    with pytest.raises(InputError, match="is a file, not a DICOM object"):
        open_dataset(sealer, sealed)
