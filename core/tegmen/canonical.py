"""Deterministic CBOR (RFC 8949, 4.2.1), the part of it that the sealed object uses; strict."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from types import NoneType
from typing import Any, NoReturn

import cbor2

from tegmen.errors import FormatError

MAX_DEPTH = 8
MAX_INTEGER = 1 << 53
MAX_NAME = 256


class _NoTags(dict[int, Callable[..., Any]]):
    """Decoders of tags, each of which refuses: cbor2's own would compile what a stranger sent."""

    def __missing__(self, tag: int) -> Callable[..., Any]:
        return _refuse_tag


def _refuse_tag(*_: Any) -> NoReturn:
    raise ValueError("a tag")


_NO_TAGS = _NoTags()


def encode(value: Any) -> bytes:
    """Deterministic bytes of `value`."""
    return cbor2.dumps(value)


def decode(data: bytes, what: str) -> Any:
    """The value of `data`, accepted only if it is made of unsigned integers below 2^53, bytes,
    NFC text, arrays and null, at most 8 deep, and encodes to the same bytes.

    Args:
        what: names the zone in messages.

    Returns:
        Arrays are tuples.

    Raises:
        FormatError: it is anything else.
    """
    value = parse(data, what)
    check(value, what)
    prove(value, data, what)
    return value


def parse(data: bytes, what: str) -> Any:
    """The value of `data`, of any kind: nothing is known of it until the caller has checked its
    kinds and called `prove`. No tag is decoded. Arrays are tuples, which take least memory.

    Raises:
        FormatError: it is not CBOR, holds a tag, or is nested deeper than 8.
    """
    try:
        return cbor2.loads(data, semantic_decoders=_NO_TAGS, max_depth=MAX_DEPTH, immutable=True)
    except Exception as error:  # noqa: BLE001  # hostile bytes make the decoder raise anything
        reason = error.__cause__ or type(error).__name__
        raise FormatError(f"{what}: not CBOR of the format: {reason}") from None


def prove(value: Any, data: bytes, what: str) -> None:
    """Raises FormatError unless `value`, made of what was read, encodes to `data` again."""
    if cbor2.dumps(value) != data:
        raise FormatError(f"{what}: not in deterministic CBOR, or more follows it")


def check(value: Any, what: str) -> None:
    """Raises FormatError unless `value` is made of the kinds that `decode` names."""
    _check((value,), what)


def _check(values: Iterable[Any], what: str) -> None:
    for value in values:
        kind = type(value)
        if kind is bytes or value is None:
            continue
        if kind is int:
            if not 0 <= value < MAX_INTEGER:
                raise FormatError(f"{what}: an integer outside 0 to 2^53 - 1")
        elif kind is str:
            check_text(value, what)
        elif kind is tuple:
            _check(value, what)
        else:
            raise FormatError(f"{what}: a value of a kind that the format does not use")


def check_text(value: str, what: str) -> None:
    """Raises FormatError unless `value` is in Unicode normal form C."""
    if not value.isascii() and not unicodedata.is_normalized("NFC", value):
        raise FormatError(f"{what}: text that is not in Unicode normal form C")


def fields(value: Any, kinds: tuple[type, ...], what: str) -> tuple[Any, ...]:
    """A decoded array, which must have exactly the elements of these kinds.

    A `kinds` entry of NoneType stands for an element of any kind; the caller checks it.

    Raises:
        FormatError: an element is missing, unknown, or of another kind.
    """
    if type(value) is not tuple:
        raise FormatError(f"{what}: an array was expected")
    if (*map(type, value),) != kinds:
        _check_fields(value, kinds, what)
    return value


def _check_fields(value: tuple[Any, ...], kinds: tuple[type, ...], what: str) -> None:
    if len(value) != len(kinds):
        raise FormatError(f"{what}: {len(value)} elements, {len(kinds)} expected")
    for number, kind in enumerate(kinds):
        if kind is not NoneType and type(value[number]) is not kind:
            raise FormatError(f"{what}: element {number} is not {kind.__name__}")


def is_name(*texts: str) -> bool:
    """Whether each of `texts` may stand in a header, which anyone may write and people read: in
    normal form C, printable, and at most 256 characters long.
    """
    joined = "".join(texts)
    if not joined.isprintable() or (
        not joined.isascii() and not all(unicodedata.is_normalized("NFC", text) for text in texts)
    ):
        return False
    return len(joined) <= MAX_NAME or max(map(len, texts)) <= MAX_NAME


def check_names(texts: Sequence[Any], what: str) -> None:
    """Raises FormatError unless all of `texts` are text that `is_name` accepts."""
    for text in texts:
        if type(text) is not str:
            raise FormatError(f"{what}: text was expected")
    if not is_name(*texts):
        raise FormatError(
            f"{what}: a name that is not printable text in normal form C, 256 characters at most"
        )


def flat(pairs: Iterable[Iterable[Any]]) -> list[Any]:
    """Runs of (count, value), or other pairs, as the one array that they are encoded as."""
    return [*chain.from_iterable(pairs)]


def pairs(values: Any, what: str) -> tuple[tuple[Any, Any], ...]:
    """What `flat` was given."""
    if type(values) is not tuple or len(values) % 2:
        raise FormatError(f"{what}: an array of pairs was expected")
    return (*zip(values[::2], values[1::2], strict=True),)


def runs(values: Any, what: str) -> tuple[tuple[int, int], ...]:
    """Runs of (count, value) from one flat array: counts above 0, neighbours different."""
    out = pairs(values, what)
    last = None
    for count, value in out:
        if type(count) is not int or type(value) is not int:
            raise FormatError(f"{what}: runs of integers were expected")
        if count < 1 or not last != value >= 0:
            raise FormatError(f"{what}: a run is empty, or should be joined to the one before")
        last = value
    return out
