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
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.integers(0, 50), inner, max_size=4).map(
            lambda mapping: dict(sorted(mapping.items()))
        ),
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_is_decoded(value: object) -> None:
    try:
        assert canonical.decode(canonical.encode(value), "test") == value
    except FormatError as error:
        assert "nested deeper" in str(error)


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
        pytest.param(cbor2.dumps({"a": 1}), id="text key"),
        pytest.param(bytes.fromhex("a2020101 01".replace(" ", "")), id="keys not ascending"),
        pytest.param(bytes.fromhex("a201010102"), id="duplicate key"),
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
        value = [value]
    assert canonical.decode(canonical.encode(value), "test") == value
    with pytest.raises(FormatError, match="nested"):
        canonical.decode(canonical.encode([value]), "test")


def test_a_left_over_field_is_named() -> None:
    assert canonical.record({0: 1, 1: b""}, (int, bytes), "zone") == [1, b""]
    with pytest.raises(FormatError, match="zone: unknown field 7"):
        canonical.record({0: 1, 7: 2}, (int,), "zone")


@pytest.mark.parametrize("value", [{}, {0: "1"}, {1: 1}, [], None])
def test_a_missing_field_is_named(value: object) -> None:
    with pytest.raises(FormatError, match=r"zone: (field 0 is missing or not int|a map)"):
        canonical.record(value, (int,), "zone")


@pytest.mark.parametrize("runs", [[[0, 5]], [[1, 5], [2, 5]], [[1]], [1], [[1, "a"]]])
def test_runs_must_be_joined_and_counted(runs: list[object]) -> None:
    with pytest.raises(FormatError, match="run"):
        canonical.runs(runs, "zone")
