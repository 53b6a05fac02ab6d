"""Parts to segments and back: any lengths, either tag placement, ciphers with spill or no tag."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, strategies as st

import tegmen_aead
from tegmen import manifest
from tegmen.body import MAC_SIZE, BodyReader, BodyWriter, Layout, Suite
from tegmen.errors import FormatError, InputError, SegmentAltered, TooLarge
from tegmen.files import GrowingSink, MemoryReader
from tegmen.interfaces import CipherInfo, Part, TagPlacement
from tegmen.keys import KeySchedule

SCHEDULE = KeySchedule(bytes(32), bytes(range(32)))
H, X = b"H" * 32, b"X" * 32


class Block:
    """A toy block cipher mode without a tag, which spills a whole block as PKCS#7 does."""

    info = CipherInfo("toy-block", "research", 16, 12, 0)

    def ciphertext_length(self, length: int, /) -> int:
        return length // 16 * 16 + 16

    def start(self, key: bytes, /) -> Any:
        return _Block(key)


class _Block:
    def __init__(self, key: bytes) -> None:
        self._key = key[0]

    def encrypt_into(self, nonce: Any, data: Any, associated: Any, buf: Any, /) -> int:
        pad = 16 - len(data) % 16
        padded = bytes(data) + bytes([pad]) * pad
        assert len(buf) == len(padded)
        buf[:] = bytes(byte ^ self._key for byte in padded)
        return len(buf)

    def decrypt_into(self, nonce: Any, data: Any, associated: Any, buf: Any, /) -> int:
        plain = bytes(byte ^ self._key for byte in data)
        if plain[-1] > 16:
            raise InvalidTag
        buf[:] = plain[: -plain[-1]]
        return len(buf)


def aead() -> Suite:
    offers = {offer.name: offer for offer in tegmen_aead.tegmen_ciphers()}
    return Suite(offers["aes-256-gcm"].make(None, Path()))


SUITES = [aead(), Suite(Block())]  # type: ignore[arg-type]  # the toy has what it needs


class Sealed:
    """A body, sealed into memory; `stream` is the tag table followed by the segments."""

    def __init__(
        self,
        suite: Suite,
        parts: list[bytes],
        segment_size: int,
        placement: TagPlacement,
        padding: int = 0,
    ) -> None:
        self.lengths = [len(part) for part in parts]
        stored = [length + padding for length in self.lengths]
        geometry: Any = manifest.runs(stored)
        self.layout = Layout(suite, geometry, segment_size, placement)
        self.binder = suite.binder(SCHEDULE, H, X)
        sink = GrowingSink()
        writer = BodyWriter(
            self.layout, self.binder, [Part("data", len(p), MemoryReader(p)) for p in parts]
        )
        writer.put(1, len(parts) + 1, sink)
        self.stream = bytearray(writer.table + sink.data)
        assert len(writer.table) == self.layout.table_size
        assert len(sink.data) == self.layout.body_size

    def reader(self) -> BodyReader:
        return BodyReader(MemoryReader(self.stream), 0, self.layout, self.binder, self.lengths)


@given(
    suite=st.sampled_from(SUITES),
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=6),
    segment_size=st.sampled_from([0, 1, 16, 64, 100]),
    placement=st.sampled_from(["inline", "table"]),
    padding=st.sampled_from([0, 1, 150]),
)
def test_any_parts_come_back(
    suite: Suite, parts: list[bytes], segment_size: int, placement: TagPlacement, padding: int
) -> None:
    sealed = Sealed(suite, parts, segment_size, placement, padding)
    reader = sealed.reader()
    assert not reader.all_opened()
    assert [reader.read(index) for index in reversed(range(len(parts)))] == parts[::-1]
    assert reader.all_opened()


@pytest.mark.parametrize("suite", SUITES, ids=["aead", "mac"])
@pytest.mark.parametrize("placement", ["inline", "table"])
def test_every_flipped_bit_of_a_body_is_refused(suite: Suite, placement: TagPlacement) -> None:
    sealed = Sealed(suite, [b"0123456789" * 4, b"", b"frame"], 16, placement)
    honest = bytes(sealed.stream)
    for position in range(len(honest) * 8):
        sealed.stream[:] = honest
        sealed.stream[position // 8] ^= 1 << position % 8
        with pytest.raises(SegmentAltered):
            for part in range(3):
                sealed.reader().read(part)


def test_a_wrong_mac_is_found_before_the_cipher_sees_a_byte() -> None:
    class Watched(Block):
        seen = 0

        def start(self, key: bytes, /) -> Any:
            outer, inner = self, super().start(key)

            class Segments:
                encrypt_into = inner.encrypt_into

                def decrypt_into(self, *args: Any) -> int:
                    outer.seen += 1
                    return int(inner.decrypt_into(*args))

            return Segments()

    cipher = Watched()
    sealed = Sealed(Suite(cipher), [b"image"], 0, "inline")  # type: ignore[arg-type]
    sealed.stream[-1] ^= 1
    with pytest.raises(SegmentAltered):
        sealed.reader().read(0)
    assert cipher.seen == 0
    assert len(sealed.stream) == 16 + MAC_SIZE


def test_padding_must_be_zeros() -> None:
    suite = SUITES[0]
    sealed = Sealed(suite, [b"image!!!"], 0, "inline")
    sealed.lengths = [5]
    with pytest.raises(FormatError, match="padding"):
        sealed.reader().read(0)


def test_equal_frames_have_different_keys() -> None:
    sealed = Sealed(SUITES[0], [bytes(64)] * 2, 0, "inline")
    assert sealed.stream[:80] != sealed.stream[80:]


def test_a_part_too_large_for_the_cipher_is_refused_before_anything_is_written() -> None:
    class Small(Block):
        info = CipherInfo("toy-small", "research", 16, 12, 0, "whole-part", max_part=100)

    with pytest.raises(TooLarge, match="takes 100"):
        Sealed(Suite(Small()), [bytes(101)], 0, "inline")  # type: ignore[arg-type]


def test_a_long_nonce_ends_in_zeros() -> None:
    nonces = []

    class Long(Block):
        info = CipherInfo("toy-long", "research", 16, 24, 0)

        def start(self, key: bytes, /) -> Any:
            inner = super().start(key)

            class Segments:
                def encrypt_into(self, nonce: Any, *args: Any) -> int:
                    nonces.append(nonce)
                    return int(inner.encrypt_into(nonce, *args))

            return Segments()

    Sealed(Suite(Long()), [bytes(20)], 16, "inline")  # type: ignore[arg-type]
    assert nonces == [bytes(24), b"\1" + bytes(10) + b"\1" + bytes(12)]


def test_a_tag_is_bound_to_the_gcm_of_the_format() -> None:
    """The segment is plain AES-256-GCM under the derived key: no framing of its own."""
    sealed = Sealed(SUITES[0], [b"image"], 0, "inline")
    label = H + X + b"\0\x0baes-256-gcm" + bytes([0, 0, 0, 1])
    key = SCHEDULE.expand(b"cipher", label)
    associated = bytes([0, 0, 0, 1]) + bytes(8) + b"\1" + bytes(7) + b"\5"
    plain = AESGCM(key).decrypt(b"\1" + bytes(11), bytes(sealed.stream), associated)
    assert plain == b"image"


def test_parts_that_do_not_exist() -> None:
    layout = Sealed(SUITES[0], [os.urandom(5)] * 3, 0, "inline").layout
    for part in (0, 4, -1):
        with pytest.raises(InputError, match="parts 1 to 3"):
            layout.run(part)
    assert layout.body_offset(4) == layout.body_size
