"""Deterministic CBOR (RFC 8949, 4.2.1), the part of it that the sealed object uses; strict."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
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
    try:
        value = cbor2.loads(data)
    except Exception as error:  # noqa: BLE001  # decoders of tags, which we refuse, raise anything
        raise FormatError(f"{what}: not CBOR ({type(error).__name__})") from None
    _check((value,), what, MAX_DEPTH)
    if encode(value) != data:
        raise FormatError(f"{what}: not in deterministic CBOR, or more follows it")
    return value


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


class Fields:
    """Reads a decoded map field by field, by type, and refuses what is left over."""

    __slots__ = ("_map", "_what")

    def __init__(self, value: Any, what: str) -> None:
        if type(value) is not dict:
            raise FormatError(f"{what}: a map was expected")
        self._map = dict(value)
        self._what = what

    def take(self, key: int, kind: type, *, optional: bool = False) -> Any:
        value = self._map.pop(key, None)
        if type(value) is kind or (optional and value is None):
            return value
        raise FormatError(f"{self._what}: field {key} is missing or not {kind.__name__}")

    def octets(self, key: int, size: int) -> bytes:
        value: bytes = self.take(key, bytes)
        if len(value) != size:
            raise FormatError(f"{self._what}: field {key} must have {size} bytes")
        return value

    def texts(self, key: int) -> tuple[str, ...]:
        return tuple(self._texts(self.take(key, list), key))

    def _texts(self, values: list[Any], key: int) -> list[str]:
        if any(type(value) is not str for value in values):
            raise FormatError(f"{self._what}: field {key} must hold text only")
        return values

    def runs(self, key: int) -> tuple[tuple[int, int], ...]:
        """Runs of [count, value]: counts above 0, neighbours different."""
        runs = tuple(tuple(run) if type(run) is list else () for run in self.take(key, list))
        last = None
        for run in runs:
            if len(run) != 2 or type(run[0]) is not int or type(run[1]) is not int or not run[0]:
                raise FormatError(f"{self._what}: field {key} must hold runs of [count, value]")
            if run[1] == last:
                raise FormatError(f"{self._what}: field {key} has a run that should be joined")
            last = run[1]
        return runs

    def done(self) -> None:
        if self._map:
            raise FormatError(f"{self._what}: unknown field {next(iter(self._map))}")
