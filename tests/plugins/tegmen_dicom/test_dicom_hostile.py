"""Files that lie: every one comes back bit for bit or is refused, soon and in little memory."""

from __future__ import annotations

import os
import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tegmen.errors import FormatError, InputError, NotSealed
from tegmen.files import GrowingSink, MemoryReader, reading
from tegmen.interfaces import Item
from tegmen.testing.containers import pack
from tegmen.testing.fakes import FakeOpenedParts, FleetingReader, noise
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.source import DicomSource

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD
SHARED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def delimiter(element: int, length: int = 0) -> bytes:
    return struct.pack("<HHL", 0xFFFE, element, length)


def round_trip(data: bytes) -> Item | None:
    """The item, after the file came back from it; None if it was refused."""
    source = DicomSource()
    try:
        item = source.load(FleetingReader(data), "x")
    except InputError:
        return None
    parts = [bytes(part.reader.view(part.offset, part.length)) for part in item.parts]
    sink = GrowingSink()
    source.restore(item.note, FakeOpenedParts(parts), sink)
    assert sink.data == data
    return item


def survives(data: bytes) -> Item | None:
    """As `round_trip`, and whatever was loaded can be sealed, and the stream found again."""
    item = round_trip(data)
    if item is not None:
        sealed, packed = pack(DicomCarrier(), item)
        stream = DicomCarrier().unpack(MemoryReader(packed))
        assert stream.view(0, stream.size) == sealed
    return item


@pytest.fixture(scope="module")
def small(find: Callable[[str], Path]) -> bytes:
    return find("SC_rgb_small_odd.dcm").read_bytes()


@pytest.fixture(scope="module")
def nested(find: Callable[[str], Path]) -> bytes:
    """Sequences of undefined length, several levels deep, before two frames."""
    return find("eCT_Supplemental.dcm").read_bytes()[: 20 << 10]


@pytest.mark.parametrize(
    "name", ["SC_rgb_small_odd.dcm", "SC_rgb_rle_2frame.dcm", "rtdose_1frame.dcm", "rtplan.dcm"]
)
def test_every_truncation(find: Callable[[str], Path], name: str) -> None:
    data = find(name).read_bytes()
    for length in range(len(data)):
        item = round_trip(data[:length])
        assert (item is not None) == (length >= 132), "with the magic it is DICOM, whatever follows"


def test_some_truncations_can_be_carried(find: Callable[[str], Path]) -> None:
    data = find("SC_rgb_small_odd.dcm").read_bytes()
    for length in range(132, len(data), 13):
        assert survives(data[:length])


def flipped(data: bytes, flips: list[tuple[int, int]]) -> bytes:
    """`data` with these bits changed: the byte's position, the bit's number."""
    changed = bytearray(data)
    for position, bit in flips:
        changed[position] ^= 1 << bit
    return bytes(changed)


@SHARED
@given(flips=st.lists(st.tuples(st.integers(132, 1400), st.integers(0, 7)), max_size=4))
def test_flipped_bits_in_a_small_file(small: bytes, flips: list[tuple[int, int]]) -> None:
    survives(flipped(small, flips))


@SHARED
@given(flips=st.lists(st.tuples(st.integers(132, 6000), st.integers(0, 7)), max_size=3))
def test_flipped_bits_in_nested_sequences(nested: bytes, flips: list[tuple[int, int]]) -> None:
    survives(flipped(nested, flips))


@SHARED
@given(
    position=st.integers(132, 1400),
    value=st.sampled_from([0, 1, 0x7FFFFFFF, 0xFFFFFFFE, UNDEFINED, 0xFFFF, 8, 0xFFFEE000]),
)
def test_hostile_lengths(small: bytes, position: int, value: int) -> None:
    survives(small[:position] + struct.pack("<L", value) + small[position + 4 :])


@SHARED
@given(
    stuff=st.binary(max_size=300),
    syntax=st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2", ""]),
)
def test_any_bytes_as_a_dataset(
    dicom_file: Callable[..., bytes], stuff: bytes, syntax: str
) -> None:
    survives(dicom_file(stuff, syntax=syntax))


@pytest.mark.parametrize(
    "lie",
    [
        {"rows": 5},
        {"rows": 0},
        {"rows": 65535, "columns": 65535},
        {"frames": "3"},
        {"frames": "0"},
        {"frames": "-2"},
        {"frames": "4294967297"},
        {"frames": "9" * 400},
        {"frames": "2 or 3"},
        {"bits": 0},
        {"bits": 65535},
        {"samples": 3},
    ],
)
def test_numbers_that_lie_make_a_file_opaque(
    dicom_file: Callable[..., bytes], image: Callable[..., list[bytes]], lie: dict[str, int]
) -> None:
    honest = survives(dicom_file(*image(noise(96))))
    assert honest is not None
    assert len(honest.parts) == 3
    item = survives(dicom_file(*image(noise(96), **lie)))
    assert item is not None
    assert [part.kind for part in item.parts] == ["data"]


def test_two_answers_to_one_question_make_a_file_opaque(
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    """Readers differ on which of two Rows they believe."""
    elements = image(noise(96))
    elements.insert(-2, explicit(0x00280010, "US", b"\x08\0"))
    item = survives(dicom_file(*elements))
    assert item is not None
    assert len(item.parts) == 1


@pytest.mark.parametrize("depth", [10_000, 100_000])
@pytest.mark.parametrize("defined", [True, False])
def test_sequences_nested_without_end(
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
    depth: int,
    defined: bool,
) -> None:
    """Below a sequence that may stay clear, so that the carrier looks into it as well."""
    elements = image(noise(96))
    if defined:
        inner = b""
        for _ in range(min(depth, 10_000)):
            inner = delimiter(ITEM, len(inner)) + inner
            inner = struct.pack("<HH2s2xL", 0x0008, 0x1140, b"SQ", len(inner)) + inner
    else:
        opening = struct.pack("<HH2s2xL", 0x0008, 0x1140, b"SQ", UNDEFINED)
        opening += delimiter(ITEM, UNDEFINED)
        inner = opening * depth + (delimiter(ITEM_END) + delimiter(SEQUENCE_END)) * depth
    elements.insert(3, inner)
    start = time.monotonic()
    item = survives(dicom_file(*elements))
    assert time.monotonic() - start < 5
    assert item is not None
    assert len(item.parts) == (3 if defined else 1)


def test_a_sequence_without_end_in_a_large_file(tmp_path: Path) -> None:
    """Empty items, one after the other, for as long as anybody follows."""
    path = tmp_path / "endless.dcm"
    opening = struct.pack("<HH2s2xL", 0x0008, 0x1140, b"SQ", UNDEFINED)
    with path.open("wb") as file:
        file.write(bytes(128) + b"DICM" + opening)
        block = delimiter(ITEM) * (1 << 17)
        for _ in range(40):
            file.write(block)
    start = time.monotonic()
    with reading(path) as (reader, name):
        item = DicomSource().load(reader, name)
    assert time.monotonic() - start < 20
    assert [part.kind for part in item.parts] == ["data"]


def test_elements_without_end(dicom_file: Callable[..., bytes]) -> None:
    """Tens of thousands of empty elements, each with a tag above the one before."""
    empty = b"".join(
        struct.pack("<HH2sH", 0x0009 + 2 * (n >> 16), n & 0xFFFF, b"LO", 0) for n in range(200_000)
    )
    item = survives(dicom_file(empty))
    assert item is not None
    assert len(item.parts) == 1


@pytest.mark.parametrize(("count", "parts"), [(1, 2), (1 << 18, 2), ((1 << 18) + 1, 1)])
def test_fragments_without_end(
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
    count: int,
    parts: int,
) -> None:
    value = delimiter(ITEM) * (count + 1) + delimiter(SEQUENCE_END)
    pixels = explicit(0x7FE00010, "OB", value, UNDEFINED)
    item = survives(dicom_file(*image(b"", frames="1")[:-1], pixels, syntax="1.2.3"))
    assert item is not None
    assert len(item.parts) == parts


def test_four_gigabytes_in_constant_memory(
    tmp_path: Path,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    """A sparse file with 4,000 frames of a megabyte; nothing of them is looked at."""
    frame = 1024 * 1024
    size = 4000 * frame
    head = image(b"", "OB", rows=1024, columns=1024, bits=8, frames="4000")[:-1]
    path = tmp_path / "large.dcm"
    path.write_bytes(dicom_file(*head, explicit(0x7FE00010, "OB", b"", size)))
    os.truncate(path, path.stat().st_size + size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with reading(path) as (reader, name):
        item = DicomSource().load(reader, name)
        assert [part.length for part in item.parts[1:]] == [frame] * 4000
        plan = DicomCarrier().plan(item)
    assert plan.stored_lengths is not None
    assert sum(plan.stored_lengths) == item.parts[0].length + size
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 32 << 10, f"{grown} KiB"


def test_more_header_than_fits_in_memory_is_opaque(
    tmp_path: Path,
    dicom_file: Callable[..., bytes],
    image: Callable[..., list[bytes]],
    explicit: Callable[..., bytes],
) -> None:
    path = tmp_path / "large.dcm"
    elements = image(noise(96))
    private = explicit(0x00091001, "OB", b"", 3 << 30)
    path.write_bytes(dicom_file(*elements[:3], private))
    os.truncate(path, path.stat().st_size + (3 << 30))
    with path.open("ab") as file:
        file.write(b"".join(elements[3:]))
    with reading(path) as (reader, name):
        item = DicomSource().load(reader, name)
    assert [part.kind for part in item.parts] == ["data"]


def test_sequences_that_would_fill_memory_are_left_out(
    tmp_path: Path, dicom_file: Callable[..., bytes], explicit: Callable[..., bytes]
) -> None:
    """A gigabyte of palettes, each of them one that may stay clear."""
    palette = explicit(0x00281201, "OW", b"", 1 << 20)
    head = dicom_file(explicit(0x00080060, "CS", b"OT"))
    path = tmp_path / "large.dcm"
    with path.open("wb") as file:
        count = 1024
        inside = delimiter(ITEM, len(palette) + (1 << 20))
        each = len(inside) + len(palette) + (1 << 20)
        file.write(head + struct.pack("<HH2s2xL", 0x0028, 0x3010, b"SQ", count * each))
        for _ in range(count):
            file.write(inside + palette)
            file.seek(1 << 20, os.SEEK_CUR)
        file.write(explicit(0x00400555, "SQ", b""))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with reading(path) as (reader, name):
        plan = DicomCarrier().plan(DicomSource().load(reader, name))
    assert len(plan.detail.before) < 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


def test_file_meta_without_end(explicit: Callable[..., bytes]) -> None:
    data = bytes(128) + b"DICM" + explicit(0x00020010, "UI", b"") * 300_000
    start = time.monotonic()
    assert survives(data)
    assert time.monotonic() - start < 2


def test_a_deflated_bomb_is_not_inflated(dicom_file: Callable[..., bytes]) -> None:
    import zlib

    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(256)) + squeeze.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert survives(dicom_file(bomb, syntax="1.2.840.10008.1.2.1.99"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


# --------------------------------------------------------------------------- sealed objects


@pytest.fixture(scope="module")
def sealed(small: bytes) -> bytes:
    item = DicomSource().load(MemoryReader(small), "x")
    return pack(DicomCarrier(), item)[1]


def test_every_truncation_of_a_sealed_object(sealed: bytes) -> None:
    carrier = DicomCarrier()
    for length in range(len(sealed)):
        try:
            stream = carrier.unpack(MemoryReader(sealed[:length]))
        except (NotSealed, FormatError):
            continue
        assert stream.size < carrier.unpack(MemoryReader(sealed)).size


@SHARED
@given(position=st.integers(0, 100_000), bit=st.integers(0, 7))
def test_flipped_bits_in_a_sealed_object(sealed: bytes, position: int, bit: int) -> None:
    data = bytearray(sealed)
    data[position % len(data)] ^= 1 << bit
    try:
        DicomCarrier().unpack(FleetingReader(bytes(data)))
    except (NotSealed, FormatError):
        return


@SHARED
@given(st.binary(max_size=200))
def test_any_bytes_as_encrypted_content(
    dicom_file: Callable[..., bytes], explicit: Callable[..., bytes], content: bytes
) -> None:
    content += bytes(len(content) % 2)
    inner = explicit(0x04000520, "OB", content)
    sequence = explicit(0x04000500, "SQ", delimiter(ITEM, len(inner)) + inner)
    with pytest.raises((NotSealed, FormatError)):
        DicomCarrier().unpack(MemoryReader(dicom_file(sequence)))
