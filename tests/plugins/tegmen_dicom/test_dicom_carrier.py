"""DICOM as carrier: where the ciphertext lies, and what a hop may change without hurting it."""

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

from tegmen import canonical
from tegmen.errors import FormatError, NotSealed, TooLarge
from tegmen.files import MemoryReader
from tegmen.interfaces import Item, Part
from tegmen.testing.containers import CarrierContract, pack
from tegmen.testing.fakes import noise
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.pixels import image_for
from tegmen_dicom.source import DicomSource

Run = Callable[..., subprocess.CompletedProcess[str]]
NATIVE = "CT_small MR_small_implicit MR_small_bigendian SC_rgb_small_odd liver examples_palette"
FITTED = "J2K_pixelrep_mismatch SC_rgb_rle_2frame emri_small_jpeg_ls_lossless rtdose_rle image_dfl"


def load(path: Path) -> Item:
    return DicomSource().load(MemoryReader(path.read_bytes()), path.name)


def packed(item: Item) -> tuple[bytes, Dataset]:
    """The stream, and the object that carries it as pydicom reads it."""
    sealed, data = pack(DicomCarrier(), item)
    return sealed, pydicom.dcmread(io.BytesIO(data))


def stream(data: bytes) -> bytes:
    reader = DicomCarrier().unpack(MemoryReader(data))
    return bytes(reader.view(0, reader.size))


def saved(ds: Dataset, **options: Any) -> bytes:
    file = io.BytesIO()
    ds.save_as(file, **options)
    return file.getvalue()


class TestContract(CarrierContract):
    damage = 40

    @pytest.fixture
    def items(self, find: Callable[[str], Path]) -> list[Item]:
        names = (
            "SC_rgb_small_odd.dcm",
            "693_UNCI.dcm",
            "examples_ybr_color.dcm",
            "rtplan.dcm",
            "MR_truncated.dcm",
            "waveform_ecg.dcm",
            "MR2_UNCI.dcm",
        )
        return [load(find(name)) for name in names]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_real_file_can_be_carried(real_file: Path) -> None:
    item = load(real_file)
    sealed, data = pack(DicomCarrier(), item)
    assert stream(data) == sealed
    ds = pydicom.dcmread(io.BytesIO(data))
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert len(data) % 2 == 0
    assert ("PixelData" in ds) == item.detail.survey.is_image


@pytest.mark.parametrize("name", NATIVE.split())
def test_native_frames_stay_where_they_were(find: Callable[[str], Path], name: str) -> None:
    source = pydicom.dcmread(find(name + ".dcm"))
    item = load(find(name + ".dcm"))
    sealed, ds = packed(item)
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames",
                    "PhotometricInterpretation", "PixelRepresentation"):  # fmt: skip
        assert ds.get(keyword) == source.get(keyword)
    assert ds.BitsStored == ds.BitsAllocated == ds.HighBit + 1
    assert len(ds.PixelData) == len(source.PixelData)
    assert sealed.endswith(ds.PixelData[: sum(part.length for part in item.parts[1:])])
    usual = "OW" if ds.BitsAllocated > 8 else "OB"
    assert usual == ds["PixelData"].VR


@pytest.mark.parametrize("name", FITTED.split())
def test_other_pixels_get_frames_of_their_own(find: Callable[[str], Path], name: str) -> None:
    item = load(find(name + ".dcm"))
    sealed, ds = packed(item)
    count = sum(part.kind == "frame" for part in item.parts) or 1
    frame = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8
    longest = max(part.length for part in item.parts[-count:])
    assert longest <= frame <= longest * 1.1 + 100
    assert len(ds.PixelData) == frame * count
    assert int(ds.get("NumberOfFrames") or 1) == count
    assert sealed.endswith(ds.PixelData)


def test_a_frame_is_found_by_arithmetic(find: Callable[[str], Path]) -> None:
    """Frame n of the stream is frame n of the pixel data, as a WADO-RS response gives it."""
    item = load(find("emri_small.dcm"))
    sealed, ds = packed(item)
    length = item.parts[1].length
    body = sealed[-10 * length :]
    for number in range(10):
        at = number * length
        assert ds.PixelData[at : at + length] == body[at : at + length]


@pytest.mark.parametrize("longest", [0, 1, 2, 99, 65536, 10**6 + 7, 1 << 31, 0xFFF00000])
def test_geometry_is_always_possible(find: Callable[[str], Path], longest: int) -> None:
    detail = load(find("MR_truncated.dcm")).detail
    image = image_for(detail.survey, detail.pixels, [longest])
    sides = [int.from_bytes(image.elements[tag][8:], "little") for tag in (0x280010, 0x280011)]
    assert all(0 < side <= 65535 for side in sides)
    assert image.frame == sides[0] * sides[1] * 2 >= longest
    assert image.frame - longest <= 4 * max(sides) + 4


def test_what_cannot_fit_is_said_before_anything_is_written(find: Callable[[str], Path]) -> None:
    item = load(find("rtplan.dcm"))
    many = [Part("data", 0xFFFFFFF0, item.parts[0].reader)]
    with pytest.raises(TooLarge, match="4 GiB"):
        DicomCarrier().plan(Item("dicom", "x", "application/dicom", {}, many, detail=item.detail))
    image = load(find("MR_truncated.dcm"))
    with pytest.raises(TooLarge, match="4 GiB"):
        DicomCarrier().plan(Item("dicom", "x", "application/dicom", {}, many, detail=image.detail))


def test_only_dicom_is_accepted(find: Callable[[str], Path]) -> None:
    carrier = DicomCarrier()
    assert carrier.accepts(load(find("CT_small.dcm"))) is None
    foreign = Item("file", "x", "text/plain", {}, [Part("data", 1, MemoryReader(b"x"))])
    assert "file" in (carrier.accepts(foreign) or "")


def test_the_note_is_the_clear_attributes(find: Callable[[str], Path]) -> None:
    plan = DicomCarrier().plan(load(find("CT_small.dcm")))
    (clear,) = canonical.decode(plan.note, "note")
    noted = pydicom.dcmread(io.BytesIO(bytes(128) + b"DICM" + clear), force=True)
    _, ds = packed(load(find("CT_small.dcm")))
    del ds.EncryptedAttributesSequence, ds.PixelData
    for element in [element for element in ds if element.VR == "SQ"]:
        assert noted.pop(element.tag).VR == "UN"
        del ds[element.tag]
    assert noted == ds
    assert noted.Modality == "CT"


# --------------------------------------------------------------------------- hops


@pytest.fixture(params=["CT_small.dcm", "SC_rgb_small_odd.dcm", "emri_small.dcm", "rtplan.dcm"])
def hop(request: pytest.FixtureRequest, find: Callable[[str], Path]) -> tuple[bytes, bytes]:
    """A sealed stream and its carrier."""
    return pack(DicomCarrier(), load(find(request.param)))


@pytest.mark.parametrize(
    "options",
    [
        ("dcmconv", "+ti"),
        ("dcmconv", "+te"),
        ("dcmconv", "+te", "-e"),
        ("dcmconv", "+ti", "+g"),
        ("dcmconv", "-F", "+te"),
        ("dcmconv", "+te", "+p", "128", "64"),
        ("gdcmconv", "-M"),
        ("gdcmconv", "-X"),
    ],
    ids=" ".join,
)
def test_encodings_may_change(
    run: Run, tmp_path: Path, hop: tuple[bytes, bytes], options: tuple[str, ...]
) -> None:
    sealed, data = hop
    before, after = tmp_path / "a.dcm", tmp_path / "b.dcm"
    before.write_bytes(data)
    tool, *flags = options
    done = run(tool, *flags, before, after)
    assert done.returncode == 0, done.stderr
    assert after.read_bytes() != data
    assert stream(after.read_bytes()) == sealed


def test_pydicom_may_save_it_again(hop: tuple[bytes, bytes]) -> None:
    sealed, data = hop
    ds = pydicom.dcmread(io.BytesIO(data))
    assert stream(saved(ds)) == sealed
    ds.EncryptedAttributesSequence.is_undefined_length = True
    ds.EncryptedAttributesSequence[0].is_undefined_length_sequence_item = True
    assert stream(saved(ds)) == sealed


def test_attributes_may_be_corrected(hop: tuple[bytes, bytes]) -> None:
    sealed, data = hop
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.PatientName, ds.PatientID, ds.StudyInstanceUID = "Merged^Name", "42", "1.2.3.4"
    ds.add_new(0x00091001, "LO", "somebody's private element")
    assert stream(saved(ds)) == sealed


@pytest.mark.parametrize("first", [True, False])
def test_other_items_are_passed_over(hop: tuple[bytes, bytes], first: bool) -> None:
    sealed, data = hop
    ds = pydicom.dcmread(io.BytesIO(data))
    foreign = Dataset()
    foreign.EncryptedContentTransferSyntaxUID = "1.2.840.10008.1.2.1"
    foreign.EncryptedContent = noise(1001) + b"\0"
    (ours,) = ds.EncryptedAttributesSequence
    ds.EncryptedAttributesSequence = Sequence([foreign, ours] if first else [ours, foreign])
    assert stream(saved(ds)) == sealed


def test_a_sequence_that_became_unknown(hop: tuple[bytes, bytes]) -> None:
    """An application that does not know the attribute writes UN, implicit inside."""
    sealed, data = hop
    sequence = Dataset()
    sequence.EncryptedAttributesSequence = pydicom.dcmread(
        io.BytesIO(data)
    ).EncryptedAttributesSequence
    encoded = io.BytesIO()
    pydicom.dcmwrite(encoded, sequence, implicit_vr=True, little_endian=True)
    content = encoded.getvalue()[8:]
    start = data.index(b"\0\4\0\5SQ\0\0")
    end = start + 12 + int.from_bytes(data[start + 8 : start + 12], "little")
    unknown = b"\0\4\0\5UN\0\0" + len(content).to_bytes(4, "little") + content
    assert stream(data[:start] + unknown + data[end:]) == sealed


@pytest.mark.parametrize(
    ("tool", "flag", "hint"),
    [
        ("dcmcrle", "+te", "gdcmconv --raw"),
        ("gdcmconv", "--jpegls", "gdcmconv --raw"),
        ("gdcmconv", "--j2k", "gdcmconv --raw"),
        ("dcmconv", "+tb", "dcmconv"),
        ("dcmconv", "+td", "dcmconv"),
    ],
)
def test_what_a_hop_must_undo_is_said(
    run: Run, tmp_path: Path, find: Callable[[str], Path], tool: str, flag: str, hint: str
) -> None:
    sealed, data = pack(DicomCarrier(), load(find("CT_small.dcm")))
    before, after, back = (tmp_path / name for name in ("a.dcm", "b.dcm", "c.dcm"))
    before.write_bytes(data)
    args = [before, after] if tool == "dcmcrle" else [flag, before, after]
    done = run(tool, *args)
    assert done.returncode == 0, done.stderr
    with pytest.raises(FormatError) as error:
        stream(after.read_bytes())
    assert hint in error.value.hint
    undo = ("gdcmconv", "--raw") if "gdcmconv" in hint else ("dcmconv", "+te")
    assert run(*undo, after, back).returncode == 0
    assert stream(back.read_bytes()) == sealed


def test_lost_pixels_are_noticed(hop: tuple[bytes, bytes]) -> None:
    sealed, data = hop
    ds = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" in ds:
        ds.PixelData = ds.PixelData[:-2]
        with pytest.raises(FormatError, match="pixel data"):
            stream(saved(ds))
        del ds.PixelData
        assert len(stream(saved(ds))) < len(sealed)


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "image_dfl.dcm"])
def test_what_is_not_sealed_is_said(find: Callable[[str], Path], name: str) -> None:
    with pytest.raises(NotSealed):
        DicomCarrier().unpack(MemoryReader(find(name).read_bytes()))


def test_what_others_encrypted_is_not_ours(hop: tuple[bytes, bytes]) -> None:
    ds = pydicom.dcmread(io.BytesIO(hop[1]))
    ds.EncryptedAttributesSequence[0].EncryptedContent = noise(500)
    with pytest.raises(NotSealed, match="no sealed object"):
        stream(saved(ds))
