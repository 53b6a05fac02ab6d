"""Deterministic CBOR: what is accepted encodes to the same bytes; everything else is refused."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, strategies as st

from tegmen import canonical
from tegmen.errors import FormatError

scalars = st.one_of(
    st.integers(0, canonical.MAX_INTEGER - 1),
    st.binary(max_size=40),
    st.text("abc", max_size=5),
    st.none(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_is_decoded(value: object) -> None:
    try:
        assert canonical.decode(canonical.encode(value), "test") == value
    except FormatError as error:
        assert "CBORDecodeError" in str(error)  # nested deeper than 8


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_typed_error(data: bytes) -> None:
    try:
        value = canonical.decode(data, "test")
    except FormatError:
        return
    assert canonical.encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(cbor2.dumps(-1), id="negative"),
        pytest.param(cbor2.dumps(True), id="boolean"),
        pytest.param(cbor2.dumps(1.0), id="float"),
        pytest.param(cbor2.dumps(1 << 53), id="too large"),
        pytest.param(cbor2.dumps(cbor2.CBORTag(1234, 1)), id="tag"),
        pytest.param(bytes.fromhex("d9d9f701"), id="the tag of CBOR itself"),
        pytest.param(bytes.fromhex("c24101"), id="bignum"),
        pytest.param(cbor2.dumps({}), id="an empty map"),
        pytest.param(cbor2.dumps({0: 1}), id="a map"),
        pytest.param(bytes.fromhex("1801"), id="long form of a short integer"),
        pytest.param(bytes.fromhex("9f01ff"), id="indefinite length"),
        pytest.param(cbor2.dumps("e\u0301"), id="not in normal form C"),
        pytest.param(cbor2.dumps(1) + b"\0", id="trailing byte"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x81" * 60_000, id="nested 60,000 deep"),
        pytest.param(bytes.fromhex("9b000000ffffffffff"), id="an array of 2^40"),
        pytest.param(bytes.fromhex("5b000000ffffffffff00"), id="a string of 2^40"),
        pytest.param(bytes.fromhex("f7"), id="undefined"),
    ],
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="test:"):
        canonical.decode(data, "test")


def test_depth_is_limited() -> None:
    value: object = 1
    for _ in range(canonical.MAX_DEPTH):
        value = (value,)
    assert canonical.decode(canonical.encode(value), "test") == value
    with pytest.raises(FormatError, match="test"):
        canonical.decode(canonical.encode([value]), "test")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xd8\x23" + cbor2.dumps("(a|b)?" * 9_000), id="a regular expression"),
        pytest.param(b"\xc5\x82\x01" + cbor2.dumps((1 << 400_000) - 1), id="a big float"),
        pytest.param(b"\xc4\x82\x01" + cbor2.dumps((1 << 400_000) - 1), id="a big decimal"),
        pytest.param(b"\xd9\x01\x02" + cbor2.dumps([*range(10_000)]), id="a set"),
        pytest.param(b"\xd8\x1c\x81\xd8\x1d\x00", id="an array that holds itself"),
    ],
)
def test_no_tag_is_decoded(data: bytes) -> None:
    with pytest.raises(FormatError, match="test: not CBOR of the format: a tag"):
        canonical.parse(data, "test")


def test_a_left_over_element_is_refused() -> None:
    assert canonical.fields((1, b""), (int, bytes), "zone") == (1, b"")
    with pytest.raises(FormatError, match="zone: 2 elements, 1 expected"):
        canonical.fields((1, 2), (int,), "zone")


@pytest.mark.parametrize("value", [(), ("1",), (True,), {0: 1}, None, 1])
def test_a_missing_element_is_refused(value: object) -> None:
    with pytest.raises(FormatError, match=r"zone: (0 elements|element 0 is not int|an array)"):
        canonical.fields(value, (int,), "zone")


@pytest.mark.parametrize("runs", [(0, 5), (1, 5, 2, 5), (1,), ((1, 5),), (1, "a"), (True, 5), 1])
def test_runs_must_be_joined_and_counted(runs: object) -> None:
    with pytest.raises(FormatError, match=r"zone: .*(run|pairs)"):
        canonical.runs(runs, "zone")


@pytest.mark.parametrize("name", ["", "images", "x" * 256, "Größe 7 (süd)", "e" * 200])
def test_names_that_people_can_read(name: str) -> None:
    assert canonical.is_name(name, name)


@pytest.mark.parametrize(
    "name", ["x" * 257, "a\nb", "\x1b[2J", "\x9b2J", "\u202etxt", "e\u0301", "\ud800", "\0"]
)
def test_names_that_are_none(name: str) -> None:
    assert not canonical.is_name("images", name)
    with pytest.raises(FormatError, match="zone: a name"):
        canonical.check_names(["images", name], "zone")


def test_a_name_is_text() -> None:
    with pytest.raises(FormatError, match="text"):
        canonical.check_names(["images", b"images"], "zone")
