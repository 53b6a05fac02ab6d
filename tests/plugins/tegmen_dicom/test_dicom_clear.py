"""What stays readable: the table, what a profile adds, and every encoding to the same result."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_keyword, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tegmen.errors import ConfigError
from tegmen.files import MemoryReader
from tegmen.testing.containers import pack
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.options import DicomOptions
from tegmen_dicom.rules import METHOD, table
from tegmen_dicom.source import DicomSource

SECRET = "Geheim"
ENCODINGS = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


def sealed(data: bytes, options: DicomOptions | None = None) -> Dataset:
    """The object that carries `data`, read by pydicom."""
    item = DicomSource().load(MemoryReader(data), "x")
    _, packed = pack(DicomCarrier(options or DicomOptions()), item)
    return pydicom.dcmread(io.BytesIO(packed))


def written(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    file = io.BytesIO()
    if syntax == ExplicitVRBigEndian:  # pydicom leaves the order of words to its caller
        ds = copy.deepcopy(ds)
        ds.RedPaletteColorLookupTableData = b"\2\1\4\3"
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(
        file,
        ds,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return file.getvalue()


@pytest.fixture
def ds() -> Dataset:
    """An image with values of every form, and identity in all the places one forgets."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.3.4"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.3.5"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"{SECRET}^Name", f"{SECRET}ID", "19700101"
    ds.PatientAge, ds.PatientWeight, ds.PatientSex = "051Y", "81", "O"
    ds.Modality, ds.Manufacturer, ds.InstitutionName = "MR", "Maker", f"{SECRET} Hospital"
    ds.StudyDate, ds.ContentDate, ds.StudyDescription = "20240229", "20240229", f"{SECRET} study"
    ds.DeviceSerialNumber, ds.OperatorsName = f"{SECRET}1", f"{SECRET}^Operator"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.SliceThickness, ds.EchoNumbers, ds.AcquisitionMatrix = "2.5", 3, [0, 256, 192, 0]
    ds.RegionFlags, ds.ReferencePixelX0, ds.DiffusionBValue = 7, -70_000, 1000.25
    ds.FrameIncrementPointer = 0x00181063
    ds.RedPaletteColorLookupTableData = b"\1\2\3\4"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.9"
    item.PatientID, item.TextComments = f"{SECRET}ID", f"{SECRET} comment"
    ds.ReferencedImageSequence = Sequence([item])
    ds.RequestAttributesSequence = Sequence([item])
    ds.add_new(0x00091001, "LO", f"{SECRET} private")
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.SmallestImagePixelValue, ds.PixelPaddingValue = 1, 2
    ds.PixelData = bytes(32)
    ds["PixelData"].VR = "OW"
    return ds


def test_the_table_says_what_the_standard_says() -> None:
    rows = list(table())
    assert [row.tag for row in rows] == sorted({row.tag for row in rows})
    for row in rows:
        assert dictionary_keyword(row.tag) == row.keyword
        assert set(dictionary_VR(row.tag).split(" or ")) == {vr.decode() for vr in row.vrs}
        assert row.set in ("minimal", "technical")
        assert row.action in ("keep", "empty", "dummy")
        assert bool(row.value) == (row.action == "dummy")


def test_the_table_keeps_no_text_but_what_it_says() -> None:
    text = {b"LO", b"SH", b"ST", b"LT", b"UT", b"UC", b"PN", b"DA", b"TM", b"DT", b"AE", b"UN"}
    kept = {row.keyword for row in table() if row.action == "keep" and row.vrs[0] in text}
    codes = {"CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion",
             "ContextGroupVersion", "LongCodeValue"}  # fmt: skip
    technical = {"ConvolutionKernel", "FilterType", "ImagedNucleus", "Manufacturer",
                 "ManufacturerModelName", "ModalityLUTType", "OpticalPathIdentifier",
                 "RescaleType", "SoftwareVersions", "StackID"}  # fmt: skip
    assert kept == codes | technical
    assert not [row for row in table() if row.tag >> 16 == 0x0010 and row.action == "keep"]


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_technical(ds: Dataset, syntax: str) -> None:
    out = sealed(written(ds, syntax))
    for keyword in (
        "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
        "Manufacturer", "ImageType", "SliceThickness", "EchoNumbers", "AcquisitionMatrix",
        "RegionFlags", "ReferencePixelX0", "DiffusionBValue", "FrameIncrementPointer",
        "RedPaletteColorLookupTableData", "Rows", "PixelRepresentation",
    ):  # fmt: skip
        assert out[keyword] == ds[keyword], keyword
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"):
        assert out[keyword].is_empty, keyword
    assert (out.ContentDate, out.DeviceSerialNumber) == ("19000101", "SEALED")
    for keyword in (
        "PatientAge", "PatientWeight", "InstitutionName", "StudyDescription",
        "RequestAttributesSequence", "SmallestImagePixelValue", "PixelPaddingValue",
    ):  # fmt: skip
        assert keyword not in out
    assert not [element for element in out if element.tag.is_private]
    assert (out.BitsStored, out.HighBit, out.BurnedInAnnotation) == (16, 15, "NO")
    assert (out.PatientIdentityRemoved, out.DeidentificationMethod) == ("YES", METHOD)


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_sequences_are_filtered_inside(ds: Dataset, syntax: str) -> None:
    (item,) = sealed(written(ds, syntax)).ReferencedImageSequence
    assert item.ReferencedSOPInstanceUID == "1.9"
    assert item.PatientID == ""
    assert "TextComments" not in item


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_every_encoding_gives_the_same_clear_dataset(ds: Dataset, syntax: str) -> None:
    def clear(data: bytes) -> Dataset:
        out = sealed(data)
        del out.EncryptedAttributesSequence, out.PixelData
        return out

    assert clear(written(ds, syntax)) == clear(written(ds))


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_nothing_of_the_identity_is_in_the_file(ds: Dataset, syntax: str) -> None:
    item = DicomSource().load(MemoryReader(written(ds, syntax)), "x")
    for clear in ("technical", "minimal"):
        _, packed = pack(DicomCarrier(DicomOptions(clear=clear)), item)
        assert SECRET.encode() not in packed
        assert b"20240229" not in packed


def test_minimal(ds: Dataset) -> None:
    out = sealed(written(ds), DicomOptions(clear="minimal"))
    assert out.Modality == "MR"
    assert out.PatientName == ""
    for keyword in ("Manufacturer", "SliceThickness", "ReferencedImageSequence", "ContentDate"):
        assert keyword not in out


def test_more_can_be_kept(ds: Dataset) -> None:
    out = sealed(written(ds), DicomOptions(keep=("StudyDescription", "StudyDate", "PatientAge")))
    assert (out.StudyDescription, out.StudyDate) == (ds.StudyDescription, ds.StudyDate)
    assert out.PatientAge == "051Y"


@pytest.mark.parametrize(
    ("keep", "removed"),
    [
        ((), "YES"),
        (("SliceThickness",), "YES"),
        (("ZoomFactor", "SmokingStatus"), "NO"),
        (("ZoomFactor",), "YES"),
        (("SmallestImagePixelValue",), "YES"),
        (("StudyDescription",), "NO"),
        (("PatientID",), "NO"),
        (("PatientWeight",), "NO"),
        (("StudyDate",), "NO"),
        (("InstanceCreatorUID",), "NO"),
        (("RequestAttributesSequence",), "NO"),
    ],
)
def test_identity_is_removed_only_if_it_is(
    ds: Dataset, keep: tuple[str, ...], removed: str
) -> None:
    out = sealed(written(ds), DicomOptions(keep=keep))
    assert out.PatientIdentityRemoved == removed
    assert ("DeidentificationMethod" in out) == (removed == "YES")


@pytest.mark.parametrize(
    ("keyword", "message"),
    [
        ("StudyDescriptoin", "not a DICOM keyword"),
        ("PixelData", "cannot stay readable"),
        ("EncryptedAttributesSequence", "cannot stay readable"),
        ("TransferSyntaxUID", "cannot stay readable"),
        ("", "not a DICOM keyword"),
    ],
)
def test_what_cannot_be_kept_is_refused(keyword: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        DicomCarrier(DicomOptions(keep=(keyword,)))
    if keyword == "StudyDescriptoin":
        assert "StudyDescription" in error.value.hint


def test_uids_that_are_missing_are_made(
    dicom_file: Callable[..., bytes], explicit: Callable[..., bytes]
) -> None:
    data = dicom_file(explicit(0x00080005, "CS", b"ISO_IR 100"))
    first, second = sealed(data), sealed(data)
    assert first.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66", "Raw Data"
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        assert first[keyword].value.startswith("2.25.")
        assert first[keyword] != second[keyword]
        assert len(first[keyword].value) == len(second[keyword].value), "sizes are exact"


@pytest.mark.parametrize("uid", [b"not a UID ", b"1.2.3;rm\0", b"9" * 66])
def test_uids_that_are_none_are_replaced(
    dicom_file: Callable[..., bytes], explicit: Callable[..., bytes], uid: bytes
) -> None:
    out = sealed(dicom_file(explicit(0x00080018, "UI", uid)))
    assert out.SOPInstanceUID.startswith("2.25.")
    assert out.file_meta.MediaStorageSOPInstanceUID == out.SOPInstanceUID


def test_a_wrong_vr_lets_nothing_through(
    dicom_file: Callable[..., bytes], explicit: Callable[..., bytes]
) -> None:
    """A sequence under the tag of a code, text under the tag of a number."""
    hidden = explicit(0x00100020, "LO", b"Geheim")
    item = b"\xfe\xff\x00\xe0" + len(hidden).to_bytes(4, "little") + hidden
    data = dicom_file(
        explicit(0x00080008, "SQ", item),
        explicit(0x00180050, "LT", b"Geheim"),
        explicit(0x00181114, "OB", b"Geheim"),
    )
    out = sealed(data)
    for tag in (0x00080008, 0x00180050, 0x00181114):
        assert tag not in out


def test_long_values_are_left_out(
    dicom_file: Callable[..., bytes], explicit: Callable[..., bytes]
) -> None:
    palette = explicit(0x00281201, "OW", bytes(2 << 20))
    assert "RedPaletteColorLookupTableData" not in sealed(dicom_file(palette))


def test_unknown_vr_is_read_as_the_dictionary_says(
    dicom_file: Callable[..., bytes], explicit: Callable[..., bytes]
) -> None:
    """UN is what a hop over an Implicit receiver makes of an attribute it does not know."""
    out = sealed(dicom_file(explicit(0x00180050, "UN", b"2.50")))
    assert out["SliceThickness"].VR == "DS"
    assert out.SliceThickness == 2.5


def test_a_source_that_was_encrypted_before_keeps_that_inside(
    find: Callable[[str], Path],
) -> None:
    data = find("MR_small.dcm").read_bytes()
    once = pack(DicomCarrier(), DicomSource().load(MemoryReader(data), "x"))[1]
    twice = pydicom.dcmread(
        io.BytesIO(pack(DicomCarrier(), DicomSource().load(MemoryReader(once), "x"))[1])
    )
    assert len(twice.EncryptedAttributesSequence) == 1
