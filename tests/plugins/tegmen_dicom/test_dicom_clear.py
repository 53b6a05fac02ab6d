"""What stays readable: the table, what a profile adds, and every encoding to the same result."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tegmen.errors import ConfigError
from tegmen.files import MemoryReader
from tegmen.testing.containers import pack
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.clear import MAX_ITEMS
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
        assert row.action in ("keep", "empty", "dummy", "terms")
        assert bool(row.value) == (row.action in ("dummy", "terms"))


def test_the_table_keeps_no_text_but_what_it_says() -> None:
    text = {b"LO", b"SH", b"ST", b"LT", b"UT", b"UC", b"PN", b"DA", b"TM", b"DT", b"AE", b"UN"}
    kept = {row.keyword for row in table() if row.action == "keep" and row.vrs[0] in text}
    assert kept == {"CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion",
                    "LongCodeValue"}  # fmt: skip
    assert not [row for row in table() if row.tag >> 16 == 0x0010 and row.action == "keep"]


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_technical(ds: Dataset, syntax: str) -> None:
    out = sealed(written(ds, syntax))
    for keyword in (
        "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
        "ImageType", "SliceThickness", "EchoNumbers", "AcquisitionMatrix",
        "RegionFlags", "ReferencePixelX0", "DiffusionBValue", "FrameIncrementPointer",
        "RedPaletteColorLookupTableData", "Rows", "PixelRepresentation",
    ):  # fmt: skip
        assert out[keyword] == ds[keyword], keyword
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"):
        assert out[keyword].is_empty, keyword
    assert (out.ContentDate, out.DeviceSerialNumber) == ("19000101", "SEALED")
    assert out.Manufacturer == "SEALED"
    for keyword in (
        "PatientAge", "PatientWeight", "InstitutionName", "StudyDescription",
        "RequestAttributesSequence", "SmallestImagePixelValue", "PixelPaddingValue",
    ):  # fmt: skip
        assert keyword not in out
    assert not [element for element in out if element.tag.is_private]
    assert (out.BitsStored, out.HighBit, out.BurnedInAnnotation) == (16, 15, "NO")
    assert (out.PatientIdentityRemoved, out.DeidentificationMethod) == ("YES", METHOD)


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_no_text_that_a_sender_may_misuse_stays(ds: Dataset, syntax: str) -> None:
    """Attributes that are not the patient's, with the patient in them."""
    text = f"{SECRET}, b. 1950"
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "RescaleType",
                    "ConvolutionKernel", "FilterType", "ImagedNucleus", "StackID",
                    "ModalityLUTType", "OpticalPathIdentifier"):  # fmt: skip
        setattr(ds, keyword, text[:16])
    ds.ICCProfile = text.encode() + b" "
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D1100", "SRT", text
    ds.AnatomicRegionSequence = Sequence([code])
    packed = pack(DicomCarrier(), DicomSource().load(MemoryReader(written(ds, syntax)), "x"))[1]
    assert SECRET.encode() not in packed
    out = pydicom.dcmread(io.BytesIO(packed))
    (kept,) = out.AnatomicRegionSequence
    assert (kept.CodeValue, kept.CodeMeaning) == ("T-D1100", "SEALED")
    assert (out.RescaleType, out.StackID, out.SoftwareVersions) == ("US", "1", "SEALED")
    assert "ICCProfile" not in out
    assert "ImagedNucleus" not in out


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
@pytest.mark.parametrize(
    ("tag", "vr", "value", "stays"),
    [
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL", True),
        (0x00080008, "CS", b"ORIGINAL\\John ", False),
        (0x00080008, "CS", b"SEVENTEEN_LETTERS ", False),
        (0x00180015, "CS", b"Chest ", False),
        (0x00180015, "CS", b"JOHN^DOE", False),
        (0x00180022, "CS", b"", True),
        (0x00180050, "DS", b"-2.5e+1 ", True),
        (0x00180050, "DS", b"2.5 mm", False),
        (0x00180086, "IS", b"1\\22", True),
        (0x00180086, "IS", b"0x11", False),
        (0x00200052, "UI", b"1.2.3\0", True),
        (0x00200052, "UI", b"1.2.John", False),
        (0x00080100, "SH", b"113100", True),
        (0x00080100, "SH", b"John Doe", False),
        (0x00080100, "SH", b"DOE^JOHN", False),
        (0x00080119, "UC", b"621566751000087104", True),
        (0x00080119, "UC", b"John Doe", False),
        (0x00281054, "LO", b"HU", True),
        (0x00281054, "LO", b"HU John ", False),
    ],
)
def test_a_value_stays_if_it_has_the_form_of_its_vr(
    dicom_file: Callable[..., bytes],
    explicit: Callable[..., bytes],
    syntax: str,
    tag: int,
    vr: str,
    value: bytes,
    stays: bool,
) -> None:
    explicitly = explicit(tag, vr, value)
    if vr == "UC":
        explicitly = explicit(tag, "UT", value).replace(b"UT\0\0", b"UC\0\0")
    element = explicitly
    if syntax == ImplicitVRLittleEndian:
        element = explicitly[:4] + len(value).to_bytes(4, "little") + value
    item = DicomSource().load(MemoryReader(dicom_file(element, syntax=syntax)), "x")
    packed = pack(DicomCarrier(), item)[1]
    assert (explicitly in packed) == stays
    out = pydicom.dcmread(io.BytesIO(packed))
    assert (out.RescaleType == "US") if tag == 0x00281054 and not stays else tag in out
    assert stays or tag == 0x00281054 or out[tag].is_empty


@pytest.mark.parametrize(
    ("keyword", "value", "stays"),
    [
        ("StudyDate", "20240229", True),
        ("StudyDate", "29 Feb", False),
        ("StudyTime", "120000.5", True),
        ("StudyTime", "at noon", False),
        ("AcquisitionDateTime", "20240229120000+0100", True),
        ("AcquisitionDateTime", "John Doe", False),
        ("PatientAge", "051Y", True),
        ("PatientAge", "Anna", False),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")
def test_what_is_asked_for_has_its_form_too(
    dicom_file: Callable[..., bytes],
    explicit: Callable[..., bytes],
    keyword: str,
    value: str,
    stays: bool,
) -> None:
    tag, data = tag_for_keyword(keyword), value.encode()
    element = explicit(tag, dictionary_VR(keyword), data.ljust(len(data) + len(data) % 2))
    out = sealed(dicom_file(element), DicomOptions(keep=(keyword,)))
    assert out[keyword].is_empty != stays
    assert (element in written(out)) == stays


def test_what_was_done_is_coded(ds: Dataset) -> None:
    """PS3.16, CID 7050."""
    sequence = sealed(written(ds)).DeidentificationMethodCodeSequence
    known = [codes.DCM.BasicApplicationConfidentialityProfile, codes.DCM.RetainUidsOption]
    assert [(code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) for code in sequence
            ] == [(code.value, "DCM", code.meaning) for code in known]  # fmt: skip


def test_endless_items_are_left_out(
    dicom_file: Callable[..., bytes], explicit: Callable[..., bytes]
) -> None:
    def images(count: int) -> bytes:
        return explicit(0x00081140, "SQ", b"\xfe\xff\x00\xe0\0\0\0\0" * count)

    one = explicit(0x00082112, "SQ", b"\xfe\xff\x00\xe0\0\0\0\0")
    assert len(sealed(dicom_file(images(MAX_ITEMS - 1), one)).ReferencedImageSequence) > 60_000
    out = sealed(dicom_file(images(MAX_ITEMS + 1), one))
    assert "ReferencedImageSequence" not in out
    assert "SourceImageSequence" not in out


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


@pytest.mark.parametrize("keyword", ["Manufacturer", "CodeMeaning", "RescaleType"])
def test_text_stays_if_it_is_asked_for(ds: Dataset, keyword: str) -> None:
    setattr(ds, keyword, "Any text, of anybody")
    out = sealed(written(ds), DicomOptions(keep=(keyword,)))
    assert out[keyword].value == "Any text, of anybody"
    assert out.PatientIdentityRemoved == "NO"


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
    assert ("DeidentificationMethodCodeSequence" in out) == (removed == "YES")


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
