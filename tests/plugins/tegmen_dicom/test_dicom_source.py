"""DICOM as source: byte ranges that come back as they were, frames where the standard says."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

from tegmen.errors import InputError
from tegmen.files import GrowingSink, MemoryReader, reading
from tegmen.interfaces import Item, Part
from tegmen.testing.containers import SourceContract
from tegmen.testing.fakes import FakeOpenedParts, FleetingReader, noise
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.source import DicomSource

JPEG = "1.2.840.10008.1.2.4.50"
ALOUD = "ignore::UserWarning"  # pydicom says what is wrong with its own test files


def content(part: Part) -> bytes:
    return bytes(part.reader.view(part.offset, part.length))


def restored(source: DicomSource, item: Item) -> bytes:
    sink = GrowingSink()
    source.restore(item.note, FakeOpenedParts([content(part) for part in item.parts]), sink)
    return bytes(sink.data)


def frames(item: Item) -> list[bytes]:
    return [content(part) for part in item.parts if part.kind == "frame"]


def kinds(item: Item) -> list[str]:
    return [part.kind for part in item.parts]


class TestContract(SourceContract):
    @pytest.fixture
    def samples(self, find: Callable[[str], Path]) -> list[bytes]:
        names = (
            "SC_rgb_small_odd.dcm",
            "MR_small_implicit.dcm",
            "SC_rgb_rle_16bit_2frame.dcm",
            "emri_small_jpeg_ls_lossless.dcm",
            "image_dfl.dcm",
            "rtplan.dcm",
            "examples_ybr_color.dcm",
        )
        return [find(name).read_bytes() for name in names]


def test_every_real_file_comes_back(source: DicomSource, real_file: Path) -> None:
    data = real_file.read_bytes()
    item = source.load(FleetingReader(data), real_file.name)
    assert restored(source, item) == data
    assert (item.media_type, item.name) == ("application/dicom", real_file.name)


def test_the_packages_hold_what_they_held(all_real_files: tuple[Path, ...]) -> None:
    assert len(all_real_files) > 150


@pytest.mark.filterwarnings(ALOUD)
def test_frames_are_those_that_pydicom_finds(source: DicomSource, image_file: Path) -> None:
    item = source.load(MemoryReader(image_file.read_bytes()), image_file.name)
    found = frames(item)
    if not found:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(image_file, force=True)
    count = int(ds.get("NumberOfFrames") or 1)
    if item.detail.survey.encapsulated:
        expected = list(generate_frames(ds.PixelData, number_of_frames=count))
        assert len(found) == len(expected)
        assert all(map(without_item_headers, found, expected))
    else:
        assert len(found) == count
        assert b"".join(found) == ds.PixelData[: len(found[0]) * count]


def without_item_headers(frame: bytes, expected: bytes) -> bool:
    """Whether `frame` is `expected`, item headers between fragments left aside."""
    if frame == expected:
        return True
    rest = frame
    while rest:
        assert expected.startswith(rest[: rest.find(b"\xfe\xff\x00\xe0")])
        cut = rest.find(b"\xfe\xff\x00\xe0")
        expected = expected[cut:] if cut >= 0 else b""
        rest = rest[cut + 8 :] if cut >= 0 else b""
    return True


def test_only_these_are_opaque(source: DicomSource, all_real_files: tuple[Path, ...]) -> None:
    """Whatever has pixel data, unless it is deflated or its numbers do not add up."""
    opaque = {
        path.name
        for path in all_real_files
        for item in [source.load(MemoryReader(path.read_bytes()), path.name)]
        if item.detail.survey.is_image and len(item.parts) == 1
    }
    assert opaque == {
        "MR_small_padded.dcm",  # 128 bytes too many
        "MR_truncated.dcm",
        "emri_small_jpeg_2k_lossless_too_short.dcm",
        "badVR.dcm",  # NumberOfFrames is "1A"
        "image_dfl.dcm",  # deflated
        "meta_missing_tsyntax.dcm",  # two bytes of pixel data and no Rows
        "nested_priv_SQ.dcm",
    }


def test_native_frames_are_equal_pieces(
    source: DicomSource, dicom_file: Callable[..., bytes], image: Callable[..., list[bytes]]
) -> None:
    pixels = noise(96)
    data = dicom_file(*image(pixels))
    item = source.load(MemoryReader(data), "x")
    assert kinds(item) == ["header", "frame", "frame"]
    assert frames(item) == [pixels[:48], pixels[48:]]
    assert content(item.parts[0]) == data[:-96]


@pytest.mark.parametrize("bits", [1, 12])
def test_frames_that_end_inside_a_byte_are_one_part(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    bits: int,
) -> None:
    pixels = noise((3 * 3 * bits * 2 + 15) // 16 * 2)
    data = dicom_file(*image(pixels, bits=bits, rows=3, columns=3), noise(0))
    item = source.load(MemoryReader(data), "x")
    assert kinds(item) == ["header", "data"]
    assert restored(source, item) == data


def test_padding_belongs_to_no_frame(
    source: DicomSource, dicom_file: Callable[..., bytes], image: Callable[..., list[bytes]]
) -> None:
    data = dicom_file(*image(noise(9) + b"\0", "OB", bits=8, rows=3, columns=3, frames="1"))
    item = source.load(MemoryReader(data), "x")
    assert [part.length for part in item.parts[1:]] == [9]
    assert restored(source, item) == data


def test_what_follows_pixel_data_belongs_to_the_header(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    tail = explicit(0xFFFCFFFC, "OB", bytes(64)) + b"whatever some archive appended"
    data = dicom_file(*image(noise(96)), tail)
    item = source.load(MemoryReader(data), "x")
    assert kinds(item) == ["header", "frame", "frame"]
    assert content(item.parts[0]).endswith(tail)


def encapsulated(frames_of: list[bytes], fragments: int, *, table: bool) -> bytes:
    return encapsulate(frames_of, fragments_per_frame=fragments, has_bot=table)


@pytest.mark.parametrize(
    ("fragments", "table", "expected"),
    [
        (1, True, "frame"),
        (1, False, "frame"),
        (3, True, "frame"),
        (3, False, "data"),
    ],
)
def test_fragments_are_attributed(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
    fragments: int,
    table: bool,
    expected: str,
) -> None:
    want = [noise(90, 1), noise(150, 2)]
    value = encapsulated(want, fragments, table=table) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    elements = [*image(b"")[:-1], explicit(0x7FE00010, "OB", value, 0xFFFFFFFF)]
    data = dicom_file(*elements, syntax=JPEG)
    item = source.load(MemoryReader(data), "x")
    assert set(kinds(item)[1:]) == {expected}
    assert restored(source, item) == data
    if expected == "frame":
        assert len(frames(item)) == 2
        assert all(map(without_item_headers, frames(item), want))


@pytest.mark.parametrize(
    ("short", "longest", "expected"),
    [(2, 1_000_000, "data"), (250_000, 1_000_000, "frame"), (2, 800_000, "frame")],
)
def test_frames_are_padded_up_to_a_limit(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
    short: int,
    longest: int,
    expected: str,
) -> None:
    """Beyond four times their length and 64 MiB they are one part; else a file could explode."""
    want = [bytes(short)] * 79 + [bytes(longest)]
    value = encapsulated(want, 1, table=False) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    elements = [*image(b"", frames="80")[:-1], explicit(0x7FE00010, "OB", value, 0xFFFFFFFF)]
    data = dicom_file(*elements, syntax=JPEG)
    item = source.load(MemoryReader(data), "x")
    assert set(kinds(item)[1:]) == {expected}
    assert restored(source, item) == data
    assert sum(DicomCarrier().plan(item).stored_lengths or ()) < max(5 * len(data), 68 << 20)


def test_fragments_of_a_single_frame_are_that_frame(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    value = encapsulated([noise(90)], 3, table=False) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    elements = [*image(b"", frames="1")[:-1], explicit(0x7FE00010, "OB", value, 0xFFFFFFFF)]
    item = source.load(MemoryReader(dicom_file(*elements, syntax=JPEG)), "x")
    assert kinds(item) == ["header", "frame"]
    assert item.parts[1].length == 90 + 2 * 8


def test_the_extended_offset_table_is_used(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    """Three fragments for two frames: without the table nobody could tell which."""
    want = [noise(90, 1), noise(60, 2), noise(150, 3)]
    value, offsets, _ = encapsulate_extended(want)
    table = struct.pack("<2Q", *struct.unpack("<3Q", offsets)[::2])
    ov = struct.pack("<HH2s2xL", 0x7FE0, 1, b"OV", len(table)) + table
    pixels = value + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    elements = [*image(b"")[:-1], ov, explicit(0x7FE00010, "OB", pixels, 0xFFFFFFFF)]
    item = source.load(MemoryReader(dicom_file(*elements, syntax=JPEG)), "x")
    assert frames(item)[1] == want[2]
    assert frames(item)[0] == want[0] + struct.pack("<HHL", 0xFFFE, 0xE000, 60) + want[1]


def test_an_offset_table_that_points_between_fragments_is_not_believed(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    want = [noise(90, 1), noise(150, 2)]
    value = bytearray(encapsulated(want, 1, table=True))
    value[12] += 2
    value += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    elements = [*image(b"")[:-1], explicit(0x7FE00010, "OB", bytes(value), 0xFFFFFFFF)]
    item = source.load(MemoryReader(dicom_file(*elements, syntax=JPEG)), "x")
    assert frames(item) == want, "one fragment a frame is the other way to know"


@pytest.mark.parametrize("frame_count", [1, 3])
def test_float_pixel_data_has_frames(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
    frame_count: int,
) -> None:
    pixels = noise(4 * 24 * frame_count)
    elements = [*image(b"", bits=32, frames=str(frame_count))[:-1]]
    item = source.load(MemoryReader(dicom_file(*elements, explicit(0x7FE00008, "OF", pixels))), "x")
    assert b"".join(frames(item)) == pixels
    assert len(frames(item)) == frame_count


def test_compressed_pixels_without_fragments_are_one_part(
    source: DicomSource, dicom_file: Callable[..., bytes], image: Callable[..., list[bytes]]
) -> None:
    item = source.load(MemoryReader(dicom_file(*image(noise(96)), syntax=JPEG)), "x")
    assert kinds(item) == ["header", "data"]


def test_pixel_data_in_an_icon_is_not_the_image(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    icon = explicit(0x7FE00010, "OB", encapsulated([noise(30)], 1, table=False), 0xFFFFFFFF)
    icon += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + icon
    item += struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    elements = image(noise(96))
    elements.insert(6, explicit(0x00280000 - 0x10000 + 0x9999, "SQ", item, 0xFFFFFFFF))
    loaded = source.load(MemoryReader(dicom_file(*elements)), "x")
    assert b"".join(frames(loaded)) == noise(96)


def test_no_preamble_is_needed(
    source: DicomSource, image: Callable[..., list[bytes]], find: Callable[[str], Path]
) -> None:
    bare = b"".join(image(noise(96)))
    assert source.detects(MemoryReader(bare), "x")
    assert len(frames(source.load(MemoryReader(bare), "x"))) == 2
    assert source.detects(MemoryReader(find("rtstruct.dcm").read_bytes()), "")
    assert source.detects(MemoryReader(find("ExplVR_BigEndNoMeta.dcm").read_bytes()), "")


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\0\0\0" + bytes(40),
        b"\x08\0\x05\0\xff\xff\xff\xff" + bytes(40),
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"\x02\0" * 100,
        b"\0\x08" * 100,
    ],
)
def test_other_files_are_not_dicom(source: DicomSource, data: bytes) -> None:
    assert not source.detects(MemoryReader(data), "x")
    with pytest.raises(InputError, match="not a DICOM file"):
        source.load(MemoryReader(data), "x")


def test_attributes_are_those_a_rule_needs(
    source: DicomSource, find: Callable[[str], Path]
) -> None:
    item = source.load(MemoryReader(find("CT_small.dcm").read_bytes()), "x")
    assert item.attributes == {
        "TransferSyntaxUID": "1.2.840.10008.1.2.1",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "Modality": "CT",
        "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
        "Manufacturer": "GE MEDICAL SYSTEMS",
        "ManufacturerModelName": "RHAPSODE",
        "InstitutionName": "JFK IMAGING CENTER",
        "StationName": "CT01_OC0",
        "SoftwareVersions": "05",
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": "1",
        "Rows": "128",
        "Columns": "128",
        "BitsAllocated": "16",
        "BitsStored": "16",
    }


@pytest.mark.filterwarnings(ALOUD)
def test_attributes_never_name_the_patient(source: DicomSource, real_file: Path) -> None:
    ds = pydicom.dcmread(real_file, force=True, stop_before_pixels=True)
    found = source.load(MemoryReader(real_file.read_bytes()), "x").attributes
    assert not found.keys() & {"PatientName", "PatientID", "PatientBirthDate", "PatientSex"}
    for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
        value = str(ds.get(keyword) or "")
        assert value not in (text for text in found.values() if len(value) > 3)


@pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm"])
def test_attributes_do_not_depend_on_the_encoding(
    source: DicomSource, find: Callable[[str], Path], name: str
) -> None:
    def found(file: str) -> dict[str, str]:
        item = source.load(MemoryReader(find(file).read_bytes()), "x")
        return {k: v for k, v in item.attributes.items() if k != "TransferSyntaxUID"}

    assert found(name) == found("MR_small.dcm")
    assert found(name)["Columns"] == "64"


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        (b"ISO_IR 192", "utf-8", "山田病院"),
        (b"ISO_IR 100", "latin-1", "Kreiskrankenhaus Süd"),
        (b"\\ISO 2022 IR 87", "iso2022_jp", "山田病院"),
        (b"ISO_IR 999", "latin-1", "Süd"),
        (b"", "latin-1", "Süd"),
    ],
)
def test_text_is_decoded(
    source: DicomSource,
    dicom_file: Callable[..., bytes],
    explicit: Callable[..., bytes],
    charset: bytes,
    encoding: str,
    text: str,
) -> None:
    value = text.encode(encoding)
    data = dicom_file(
        explicit(0x00080005, "CS", charset.ljust(len(charset) + len(charset) % 2)),
        explicit(0x00080080, "LO", value.ljust(len(value) + len(value) % 2)),
    )
    assert source.load(MemoryReader(data), "x").attributes["InstitutionName"] == text


def test_a_real_file_is_read_where_it_lies(
    source: DicomSource, find: Callable[[str], Path]
) -> None:
    path = find("eCT_Supplemental.dcm")
    with reading(path) as (reader, name):
        item = source.load(reader, name)
        assert restored(source, item) == path.read_bytes()


def test_loading_reads_no_pixels(source: DicomSource, find: Callable[[str], Path]) -> None:
    for name in ("RG1_UNCR.dcm", "color3d_jpeg_baseline.dcm"):
        reader = FleetingReader(find(name).read_bytes())
        source.load(reader, "x")
        assert reader.viewed < 70_000
