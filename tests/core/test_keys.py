"""The key schedule against RFC 5869 computed by hand, and context that must match exactly."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import cbor2
import pytest

from tegmen import keys
from tegmen.errors import ContextInvalid, ContextMismatch, ContextMissing

DATA_KEY = bytes(range(32))
SALT = bytes(range(100, 132))


def hkdf(label: bytes, extra: bytes = b"", length: int = 32) -> bytes:
    """RFC 5869 with HMAC of the standard library, independent of the code under test."""
    prk = hmac.digest(SALT, DATA_KEY, "sha256")
    out, block = b"", b""
    info = b"tegmen/0 " + label + b"\0" + extra
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


def test_every_label_is_hkdf_as_the_format_says() -> None:
    schedule = keys.KeySchedule(DATA_KEY, SALT)
    header, bound = b"H" * 32, b"X" * 32
    assert schedule.commit() == hkdf(b"commit")
    assert schedule.core_mac(header) == hkdf(b"core", header)
    assert schedule.context_check(header, bound) == hkdf(b"context", header + bound)
    assert schedule.manifest_key(16) == hkdf(b"manifest", b"", 16)
    label = keys.part_label(header, bound, 0, "aes-256-gcm") + (7).to_bytes(4, "big")
    assert label == header + bound + b"\0\x0baes-256-gcm" + b"\0\0\0\x07"
    assert schedule.expand(b"cipher", label, 64) == hkdf(b"cipher", label, 64)
    zone = schedule.zone_mac(header, 1024, b"zone")
    covered = header + (1024).to_bytes(4, "big") + b"zone"
    assert zone == hmac.digest(hkdf(b"slots"), covered, "sha256")


def test_a_schedule_shows_no_key() -> None:
    assert repr(keys.KeySchedule(DATA_KEY, SALT)) == "KeySchedule(...)"


def test_no_context_is_the_empty_map() -> None:
    assert keys.context_hash((), {}) == hashlib.sha256(b"\xa0").digest()


def test_context_is_bound_by_name_and_value_in_deterministic_order() -> None:
    context: Any = {"b": "2", "aa": 7, "c": b"\1"}
    expected = hashlib.sha256(cbor2.dumps({"b": "2", "c": b"\1", "aa": 7})).digest()
    assert keys.context_hash(("aa", "b", "c"), context) == expected


def test_context_is_normalised_so_that_an_accent_typed_otherwise_still_fits() -> None:
    composed, decomposed = {"trust": "\u00e9"}, {"trust": "e\u0301"}
    assert keys.context_hash(("trust",), composed) == keys.context_hash(("trust",), decomposed)


def test_missing_and_surplus_context_are_named() -> None:
    with pytest.raises(ContextMissing, match="ward") as missing:
        keys.context_hash(("trust", "ward"), {"trust": "north"})
    assert missing.value.hint == "--context ward=VALUE"
    with pytest.raises(ContextMismatch, match="ward"):
        keys.context_hash(("trust",), {"trust": "north", "ward": "7"})


class Text(str):
    """Text that is not exactly text."""


@pytest.mark.parametrize(
    "value",
    [-1, 1 << 53, True, 1.5, None, [1], (), {}, object(), "\ud800", Text("a"), bytearray(1)],
)
def test_values_outside_the_format_are_refused(value: Any) -> None:
    with pytest.raises(ContextInvalid, match="value of context n is not text") as refused:
        keys.context_hash(("n",), {"n": value})
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["", "\ud800", "a\nb", "x" * 257, 1, None, True, b"n"])
def test_names_outside_the_format_are_refused(name: Any) -> None:
    with pytest.raises(ContextInvalid, match="context name"):
        keys.context_hash(("n",), {"n": "1", name: "2"})


def test_a_name_given_in_two_spellings_is_refused() -> None:
    with pytest.raises(ContextInvalid, match="twice"):
        keys.context_hash(("\u00e9",), {"\u00e9": "1", "e\u0301": "1"})
    composed = keys.context_hash(("\u00e9",), {"\u00e9": "1"})
    assert keys.context_hash(("\u00e9",), {"e\u0301": "1"}) == composed
