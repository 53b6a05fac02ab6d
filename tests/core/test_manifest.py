"""The manifest: strict, fitted to the header, and no name leaves the output folder."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, strategies as st

from tegmen import canonical, manifest
from tegmen.errors import FormatError, TooLarge
from tegmen.files import MemoryReader
from tegmen.interfaces import Part

ENTRY = manifest.Entry("ct.dcm", "application/dicom", "dicom", b"note", ((1, 0), (3, 1)))
MANIFEST = manifest.Manifest((ENTRY,), ((1, 700), (2, 512), (1, 500)), b"carrier")
GEOMETRY = [(1, 700), (3, 512)]


def test_it_reads_back_and_hides_its_length() -> None:
    raw = manifest.encode(MANIFEST)
    assert len(raw) == 256
    assert manifest.decode(raw, GEOMETRY) == MANIFEST


@pytest.mark.parametrize(
    ("changed", "geometry"),
    [
        pytest.param(MANIFEST, [(1, 700), (2, 512)], id="fewer parts stored"),
        pytest.param(MANIFEST, [(1, 699), (3, 512)], id="less stored than a part is long"),
        pytest.param(MANIFEST, [(1, 700), (2, 512), (1, 499)], id="the last one short"),
        pytest.param(MANIFEST._replace(items=()), GEOMETRY, id="no item"),
        pytest.param(MANIFEST._replace(lengths=((4, 100), (1, 5))), GEOMETRY, id="more lengths"),
        pytest.param(
            MANIFEST._replace(items=(ENTRY._replace(kinds=((1, 0), (3, 3))),)),
            GEOMETRY,
            id="an unknown kind of part",
        ),
    ],
)
def test_what_does_not_fit_the_header_is_refused(
    changed: manifest.Manifest, geometry: list[tuple[int, int]]
) -> None:
    with pytest.raises(FormatError, match="manifest"):
        manifest.decode(manifest.encode(changed), geometry)


def test_padding_and_length_are_checked() -> None:
    raw = bytearray(manifest.encode(MANIFEST))
    raw[-1] = 1
    with pytest.raises(FormatError, match="padding"):
        manifest.decode(bytes(raw), GEOMETRY)
    raw[:4] = b"\xff\xff\xff\xff"
    with pytest.raises(FormatError, match="length"):
        manifest.decode(bytes(raw), GEOMETRY)


def padded(body: bytes) -> bytes:
    return (len(body).to_bytes(4, "big") + body).ljust(256, b"\0")


ITEM = ["ct.dcm", "application/dicom", "dicom", b"note", [1, 0, 3, 1]]
FIELDS = [[ITEM], [1, 700, 2, 512, 1, 500], b"carrier"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([*FIELDS, b""], id="an unknown element"),
        pytest.param(FIELDS[:2], id="a missing element"),
        pytest.param([*FIELDS[:2], "carrier"], id="text where bytes belong"),
        pytest.param([[[*ITEM, 0]], *FIELDS[1:]], id="an unknown element of an item"),
        pytest.param([[["e\u0301", *ITEM[1:]]], *FIELDS[1:]], id="a name not in NFC"),
        pytest.param([[[*ITEM[:4], [1, 0, 3, True]]], *FIELDS[1:]], id="a boolean kind"),
        pytest.param([[[*ITEM[:4], [1, 0, 3, -1]]], *FIELDS[1:]], id="a negative kind"),
        pytest.param([FIELDS[0], [1, 700, 2, 512, 1, -1], b""], id="a negative length"),
        pytest.param([FIELDS[0], [1, 700, 4, 512, -1, 1], b""], id="a negative count"),
        pytest.param([FIELDS[0], [[1, 700], [2, 512], [1, 500]], b""], id="lengths in pairs"),
        pytest.param([[ITEM, [*ITEM[:4], []]], *FIELDS[1:]], id="two items"),
        pytest.param(dict(enumerate(FIELDS)), id="a map"),
        pytest.param([FIELDS[1], FIELDS[0], b""], id="elements out of order"),
    ],
)
def test_what_is_not_of_the_format_is_refused(fields: object) -> None:
    assert manifest.decode(padded(canonical.encode(FIELDS)), GEOMETRY) == MANIFEST
    with pytest.raises(FormatError, match="manifest"):
        manifest.decode(padded(canonical.encode(fields)), GEOMETRY)


@given(st.data())
def test_what_a_manifest_is_read_from_is_deterministic_cbor(data: st.DataObject) -> None:
    """The typed reader is at least as strict as the general one."""
    body = bytearray(canonical.encode(FIELDS))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        manifest.decode(padded(bytes(body)), GEOMETRY)
    except FormatError:
        return
    canonical.decode(bytes(body), "manifest")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=50))
def test_runs_expand_to_what_they_were_made_of(values: list[int]) -> None:
    runs = manifest.runs(values)
    expanded = manifest.Expanded([(int(count), int(value)) for count, value in runs])
    assert [*expanded] == values
    assert [expanded[number] for number in range(len(values))] == values
    assert [expanded[number - len(values)] for number in range(len(values))] == values
    assert expanded[1:-1] == values[1:-1]
    for number in (len(values), -len(values) - 1):
        with pytest.raises(IndexError):
            expanded[number]
    decoded = canonical.decode(canonical.encode(canonical.flat(runs)), "runs")
    assert [list(run) for run in canonical.runs(decoded, "runs")] == runs


def test_expanding_takes_no_more_memory_than_the_runs() -> None:
    tracemalloc.start()
    try:
        lengths = manifest.Expanded([((1 << 32) - 2, 0), (1, 7)])
        assert (len(lengths), lengths[-1], lengths[-2]) == ((1 << 32) - 1, 7, 0)
        assert next(iter(lengths)) == 0
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


def test_as_many_lengths_fit_as_a_large_slide_has_tiles() -> None:
    def of(count: int) -> manifest.Manifest:
        lengths = tuple((1, 100_000 + number) for number in range(count))
        return manifest.Manifest((ENTRY._replace(kinds=((count, 1),)),), lengths, b"")

    many = of(100_000)
    raw = manifest.encode(many)
    assert len(raw) < 700_000
    assert manifest.decode(raw, [(100_000, 200_000)]) == many
    with pytest.raises(TooLarge, match="manifest would need") as refused:
        manifest.encode(of(700_000))
    assert "fewer frames" in refused.value.hint


@pytest.mark.parametrize("name", ["ct.dcm", "Müller scan (2).png", "x" * 255, "console.txt", "a-b"])
def test_ordinary_names_pass(name: str) -> None:
    assert manifest.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "C:x", "a\0b", "a\nb"],
        *["\u202egnp.exe", "x" * 256, "é" * 200, "trailing.", "trailing ", "\ud800"],
        *[".profile", ".bashrc", "-", "-rf", "CON", "nul.txt", "aux .png", "COM1", "lpt².dcm"],
    ],
)
def test_hostile_names_are_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(FormatError, match="sealed name") as refused:
        manifest.check_name(name)
    assert len(name) < 4 or name not in str(refused.value)
    assert refused.value.hint == "give -o FILE"


def test_frames_are_padded_to_the_longest_and_headers_are_not() -> None:
    reader = MemoryReader(bytes(100))
    parts = [Part("header", 7, reader), Part("frame", 5, reader), Part("frame", 9, reader)]
    assert manifest.stored_lengths(parts, None) == [7, 9, 9]
    assert manifest.stored_lengths(parts, [8, 16, 16]) == [8, 16, 16]
    for planned in ([7, 9], [7, 9, 8]):
        with pytest.raises(TooLarge, match="less room"):
            manifest.stored_lengths(parts, planned)
