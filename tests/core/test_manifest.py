"""The manifest: strict, fitted to the header, and no name leaves the output folder."""

from __future__ import annotations

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


ITEM = {0: "ct.dcm", 1: "application/dicom", 2: "dicom", 3: b"note", 4: [[1, 0], [3, 1]]}
FIELDS = {0: [ITEM], 1: [[1, 700], [2, 512], [1, 500]], 2: b"carrier"}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({**FIELDS, 3: b""}, id="an unknown field"),
        pytest.param({**FIELDS, 2: "carrier"}, id="text where bytes belong"),
        pytest.param({**FIELDS, 0: [{**ITEM, 5: 0}]}, id="an unknown field of an item"),
        pytest.param({**FIELDS, 0: [{**ITEM, 0: "e\u0301"}]}, id="a name not in NFC"),
        pytest.param({**FIELDS, 0: [{**ITEM, 4: [[1, 0], [3, True]]}]}, id="a boolean kind"),
        pytest.param({**FIELDS, 0: [{**ITEM, 4: [[1, 0], [3, -1]]}]}, id="a negative kind"),
        pytest.param({**FIELDS, 1: [[1, 700], [2, 512], [1, -1]]}, id="a negative length"),
        pytest.param({**FIELDS, 1: [[1, 700], [4, 512], [-1, 1]]}, id="a negative count"),
        pytest.param([FIELDS], id="no map"),
        pytest.param({1: FIELDS[1], 0: FIELDS[0], 2: b""}, id="fields out of order"),
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
    assert manifest.expand([(int(count), int(value)) for count, value in runs]) == values
    decoded = canonical.decode(canonical.encode(runs), "runs")
    assert [list(run) for run in canonical.runs(decoded, "runs")] == runs


@pytest.mark.parametrize("name", ["ct.dcm", "Müller scan (2).png", "x" * 255, ".profile"])
def test_ordinary_names_pass(name: str) -> None:
    assert manifest.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "C:x", "a\0b", "a\nb"],
        *["\u202egnp.exe", "x" * 256, "é" * 200, "trailing.", "trailing "],
    ],
)
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError, match="sealed name"):
        manifest.check_name(name)


def test_frames_are_padded_to_the_longest_and_headers_are_not() -> None:
    reader = MemoryReader(bytes(100))
    parts = [Part("header", 7, reader), Part("frame", 5, reader), Part("frame", 9, reader)]
    assert manifest.stored_lengths(parts, None) == [7, 9, 9]
    assert manifest.stored_lengths(parts, [8, 16, 16]) == [8, 16, 16]
    for planned in ([7, 9], [7, 9, 8]):
        with pytest.raises(TooLarge, match="less room"):
            manifest.stored_lengths(parts, planned)
