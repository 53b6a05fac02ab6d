"""Deterministic CBOR (RFC 8949, 4.2.1), the part of it that the sealed object uses; strict."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any

import cbor2

from tegmen.errors import FormatError

MAX_DEPTH = 8
MAX_INTEGER = 1 << 53


def encode(value: Any) -> bytes:
    """Deterministic bytes of `value`, whose maps must have their integer keys in order."""
    return cbor2.dumps(value)


def decode(data: bytes, what: str) -> Any:
    """The value of `data`, accepted only if it is made of unsigned integers below 2^53, bytes,
    NFC text, arrays, maps with ascending integer keys and null, and encodes to the same bytes.

    Args:
        what: names the zone in messages.

    Raises:
        FormatError: it is anything else.
    """
    value = parse(data, what)
    check(value, what)
    prove(value, data, what)
    return value


def parse(data: bytes, what: str) -> Any:
    """The value of `data`, of any kind: nothing is known of it until the caller has checked its
    kinds and called `prove`.

    Raises:
        FormatError: it is not CBOR.
    """
    try:
        return cbor2.loads(data)
    except Exception as error:  # noqa: BLE001  # decoders of tags, which we refuse, raise anything
        raise FormatError(f"{what}: not CBOR ({type(error).__name__})") from None


def prove(value: Any, data: bytes, what: str) -> None:
    """Raises FormatError unless `value`, made of what was read, encodes to `data` again."""
    if cbor2.dumps(value) != data:
        raise FormatError(f"{what}: not in deterministic CBOR, or more follows it")


def check(value: Any, what: str, depth: int = MAX_DEPTH) -> None:
    """Raises FormatError unless `value` is made of the kinds that `decode` names."""
    _check((value,), what, depth)


def _check(values: Iterable[Any], what: str, depth: int) -> None:
    """Raises FormatError unless every value is of the kinds that `decode` names."""
    for value in values:
        kind = type(value)
        if kind is bytes or value is None:
            continue
        if kind is int:
            if not 0 <= value < MAX_INTEGER:
                raise FormatError(f"{what}: an integer outside 0 to 2^53 - 1")
        elif kind is str:
            if not value.isascii() and not unicodedata.is_normalized("NFC", value):
                raise FormatError(f"{what}: text that is not in Unicode normal form C")
        elif depth == 0:
            raise FormatError(f"{what}: nested deeper than {MAX_DEPTH}")
        elif kind is list:
            _check(value, what, depth - 1)
        elif kind is dict:
            _check_keys(value, what)
            _check(value.values(), what, depth - 1)
        else:
            raise FormatError(f"{what}: a value of a kind that the format does not use")


def _check_keys(value: dict[Any, Any], what: str) -> None:
    last = -1
    for key in value:
        if type(key) is not int or not last < key < MAX_INTEGER:
            raise FormatError(f"{what}: map keys must be integers, ascending")
        last = key


def record(value: Any, kinds: tuple[type, ...], what: str) -> list[Any]:
    """The fields 0, 1, ... of a decoded map, which must have exactly these kinds.

    A `kinds` entry of NoneType stands for a field that may be of any kind; the caller checks it.

    Raises:
        FormatError: a field is missing, unknown, or of another kind.
    """
    if type(value) is not dict:
        raise FormatError(f"{what}: a map was expected")
    fields = [*value.values()]
    if (*map(type, fields),) != kinds or (*value,) != _KEYS[: len(kinds)]:
        _check_fields(value, kinds, what)
    return fields


_KEYS = (*range(64),)


def _check_fields(value: dict[Any, Any], kinds: tuple[type, ...], what: str) -> None:
    for number, kind in enumerate(kinds):
        if number not in value or not (kind is NoneType or type(value[number]) is kind):
            raise FormatError(f"{what}: field {number} is missing or not {kind.__name__}")
    if len(value) > len(kinds):
        unknown = next(number for number in value if number not in range(len(kinds)))
        raise FormatError(f"{what}: unknown field {unknown}")
    if (*value,) != _KEYS[: len(kinds)]:
        raise FormatError(f"{what}: its fields are out of order")


def texts(values: list[Any], what: str) -> tuple[str, ...]:
    """A list that must hold text only."""
    for value in values:
        if type(value) is not str:
            raise FormatError(f"{what}: text was expected")
    return tuple(values)


def check_texts(values: Sequence[str], what: str) -> None:
    """Raises FormatError unless all of `values` are in Unicode normal form C."""
    if not "".join(values).isascii():
        _check(values, what, 0)


_RUN = (int, int)


def runs(values: list[Any], what: str) -> tuple[tuple[int, int], ...]:
    """Runs of [count, value]: counts above 0, neighbours different."""
    out: list[tuple[int, int]] = []
    last = None
    for run in values:
        if type(run) is not list or (*map(type, run),) != _RUN:
            raise FormatError(f"{what}: runs of [count, value] were expected")
        count, value = run
        if count < 1 or not last != value >= 0:
            raise FormatError(f"{what}: a run is empty, or should be joined to the one before")
        out.append((count, value))
        last = value
    return tuple(out)
