"""The contract of every cipher, as tests to inherit: subclass it and give it a `cipher`."""

from __future__ import annotations

import math
import re
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ClassVar

import pytest
from cryptography.exceptions import InvalidTag

from tegmen.interfaces import Buffer, Cipher, SegmentCipher
from tegmen.testing.cipher_secrecy import CipherSecrecy
from tegmen.testing.fakes import noise
from tegmen.testing.segments import (
    ASSOCIATED_DATA,
    decrypt,
    encrypt,
    flips,
    other,
    other_nonces,
    usual_key,
    usual_nonce,
)

NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
APPROVALS = {"FIPS 140", "GB", "ISO", "browser"}
MEMORY_ALLOWANCE = 1 << 16
Form = Callable[[bytes], Buffer]
FORMS: tuple[Form, ...] = (bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data)))
"""The kinds of buffer that the core hands out, made from bytes."""


def _refused(cipher: Cipher, sealed: Buffer, length: int, **given: bytes) -> bool:
    try:
        decrypt(cipher, sealed, length, **given)
    except InvalidTag:
        return True
    return False


@contextmanager
def _frequent_thread_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class CipherContract(CipherSecrecy):
    """What the core relies on. Inherit it, and define one fixture::

        class TestMyCipher(CipherContract):
            @pytest.fixture
            def cipher(self) -> Cipher:
                return MyCipher()

    Attributes:
        lengths: bytes of plaintext that are tried; those over `max_part` are left out.
        large: bytes of the segments that threads and memory are tried with.
    """

    lengths: ClassVar[tuple[int, ...]] = (*range(71), 255, 256, 257, 4095, 65537, 1 << 20)
    large: ClassVar[int] = 1 << 17

    def _lengths(self, cipher: Cipher) -> list[int]:
        most = cipher.info.max_part
        return [length for length in self.lengths if most is None or length <= most]

    def _large(self, cipher: Cipher) -> int:
        return min(self.large, cipher.info.max_part or self.large)

    def test_names_are_complete(self, cipher: Cipher) -> None:
        info = cipher.info
        assert NAME.fullmatch(info.name), f"{info.name!r}: small letters, digits, - and . only"
        assert len(info.name) <= 255, "the key schedule has one byte for the name's length"
        assert info.source, "say where the algorithm is specified"
        assert info.worth.endswith("."), "say in one sentence what it protects against"
        assert info.tier in ("standard", "legacy", "research")
        unknown = set(info.approvals) - APPROVALS
        assert not unknown, f"no such approvals: {unknown}"

    def test_sizes_are_possible(self, cipher: Cipher) -> None:
        info = cipher.info
        assert 16 <= info.key_size <= 255 * 32, "HKDF-SHA-256 gives at most 8160 bytes of key"
        assert info.nonce_size >= 12, "the core's nonce has 12 bytes"
        short = 0 < info.tag_size < 12
        assert not short, "a tag under 96 bits: declare 0, and the core adds a MAC"
        assert math.isfinite(info.memory_factor)
        assert info.memory_factor >= 0

    def test_segmenting_is_possible(self, cipher: Cipher) -> None:
        info = cipher.info
        assert info.segmenting in ("stream", "whole-part")
        assert info.max_part is None or info.max_part >= 512, "too small for these tests"
        assert info.segmenting == "stream" or info.max_part, "whole parts: say how large"

    def test_ciphertext_length_is_exact(self, cipher: Cipher) -> None:
        for length in self._lengths(cipher):
            assert cipher.ciphertext_length(length) >= length
            sealed = encrypt(cipher, noise(length))
            assert decrypt(cipher, sealed, length) == noise(length), f"{length} bytes"

    def test_largest_part_passes(self, cipher: Cipher) -> None:
        length = min(cipher.info.max_part or 1 << 21, 1 << 24)
        sealed = encrypt(cipher, bytes(length))
        assert decrypt(cipher, sealed, length) == bytes(length)

    def test_writes_only_into_its_buffer(self, cipher: Cipher) -> None:
        info, guard = cipher.info, b"\xa5" * 64
        segment_cipher = cipher.start(usual_key(cipher))
        nonce = usual_nonce(cipher)
        for length in (0, 1, 15, 16, 17, 64):
            stored = cipher.ciphertext_length(length) + info.tag_size
            sealed, opened = (bytearray(guard + bytes(size) + guard) for size in (stored, length))
            inside = memoryview(sealed)[64:-64]
            segment_cipher.encrypt_into(nonce, noise(length), b"", inside)
            segment_cipher.decrypt_into(nonce, inside, b"", memoryview(opened)[64:-64])
            assert opened == guard + noise(length) + guard
            assert sealed[:64] == sealed[-64:] == guard

    @pytest.mark.parametrize("form", FORMS)
    def test_takes_every_kind_of_buffer(self, cipher: Cipher, form: Form) -> None:
        data = noise(333)
        sealed = encrypt(cipher, form(data))
        assert sealed == encrypt(cipher, data)
        assert decrypt(cipher, form(sealed), 333) == data

    def test_takes_any_place_in_memory(self, cipher: Cipher) -> None:
        data = noise(333)
        sealed = encrypt(cipher, data)
        for shift in (1, 3, 7):
            assert encrypt(cipher, memoryview(bytes(shift) + data)[shift:]) == sealed
            assert decrypt(cipher, memoryview(bytes(shift) + sealed)[shift:], 333) == data

    def test_takes_no_associated_data(self, cipher: Cipher) -> None:
        sealed = encrypt(cipher, b"data", associated_data=None)
        assert decrypt(cipher, sealed, 4, associated_data=None) == b"data"

    def test_inputs_are_not_modified(self, cipher: Cipher) -> None:
        info = cipher.info
        given = [usual_nonce(cipher), noise(100), ASSOCIATED_DATA]
        nonce, data, associated_data = map(bytearray, given)
        sealed = bytearray(cipher.ciphertext_length(100) + info.tag_size)
        segment_cipher = cipher.start(usual_key(cipher))
        segment_cipher.encrypt_into(nonce, data, associated_data, sealed)
        before = bytes(sealed)
        segment_cipher.decrypt_into(nonce, sealed, associated_data, bytearray(100))
        assert sealed == before
        assert [nonce, data, associated_data] == given

    def test_segments_stand_alone(self, cipher: Cipher) -> None:
        """No state passes from one segment to the next, and nothing is drawn at random."""
        alone = encrypt(cipher, noise(100))
        segment_cipher = cipher.start(usual_key(cipher))
        nonce = usual_nonce(cipher)
        for length in (7, 300, 100):
            out = bytearray(cipher.ciphertext_length(length) + cipher.info.tag_size)
            segment_cipher.encrypt_into(nonce, noise(length), ASSOCIATED_DATA, out)
        assert out == alone

    def test_another_key_gives_another_ciphertext(self, cipher: Cipher) -> None:
        data, key = noise(100), usual_key(cipher)
        sealed = encrypt(cipher, data, key=key)
        assert encrypt(cipher, data, key=other(key)) != sealed
        try:
            assert decrypt(cipher, sealed, 100, key=other(key)) != data
        except InvalidTag:
            return
        assert not cipher.info.tag_size, "the tag does not depend on the key"

    def test_every_flipped_bit_is_refused(self, cipher: Cipher) -> None:
        self._needs_tag(cipher)
        for length in (0, 33):
            sealed = encrypt(cipher, noise(length))
            for bit, altered in enumerate(flips(sealed)):
                assert _refused(cipher, altered, length), f"bit {bit} of {length} bytes"

    def test_other_associated_data_is_refused(self, cipher: Cipher) -> None:
        self._needs_tag(cipher)
        sealed = encrypt(cipher, noise(33))
        for altered in (*flips(ASSOCIATED_DATA), b"", ASSOCIATED_DATA[:-1]):
            assert _refused(cipher, sealed, 33, associated_data=altered), altered.hex()

    def test_another_nonce_is_refused(self, cipher: Cipher) -> None:
        self._needs_tag(cipher)
        sealed = encrypt(cipher, noise(33))
        for nonce in other_nonces(cipher):
            assert _refused(cipher, sealed, 33, nonce=nonce), nonce.hex()

    def test_another_length_is_refused(self, cipher: Cipher) -> None:
        self._needs_tag(cipher)
        sealed = encrypt(cipher, noise(33))
        for cut in (*(sealed[:end] for end in range(len(sealed))), sealed + b"\0"):
            length = max(0, len(cut) - cipher.info.tag_size)
            assert _refused(cipher, cut, length), f"{len(cut)} of {len(sealed)} bytes"

    def test_threads_may_share_it(self, cipher: Cipher) -> None:
        segment_cipher = cipher.start(usual_key(cipher))
        nonces = [bytes([number]) * cipher.info.nonce_size for number in range(32)]
        data = noise(self._large(cipher) // 8)

        def round_trip(nonce: bytes) -> tuple[bytes, bytes]:
            return _round_trip(cipher, segment_cipher, nonce, data)

        alone = [round_trip(nonce) for nonce in nonces]
        with _frequent_thread_switches(), ThreadPoolExecutor(8) as pool:
            assert list(pool.map(round_trip, nonces)) == alone
        assert all(opened == data for _, opened in alone)

    def test_memory_is_as_declared(self, cipher: Cipher) -> None:
        """As far as Python is asked for it; native code has to be measured from outside."""
        length = self._large(cipher)
        data = noise(length)
        sealed = bytearray(cipher.ciphertext_length(length) + cipher.info.tag_size)
        opened = bytearray(length)
        segment_cipher = cipher.start(usual_key(cipher))
        nonce = usual_nonce(cipher)
        with _tracing_memory() as used:
            segment_cipher.encrypt_into(nonce, data, b"", sealed)
            segment_cipher.decrypt_into(nonce, sealed, b"", opened)
        most = cipher.info.memory_factor * length + MEMORY_ALLOWANCE
        assert used[0] <= most, f"{length} bytes took {used[0]} bytes of memory"

    @staticmethod
    def _needs_tag(cipher: Cipher) -> None:
        if not cipher.info.tag_size:
            pytest.skip("declares no tag; the core's MAC refuses what is altered")


def _round_trip(
    cipher: Cipher, segment_cipher: SegmentCipher, nonce: bytes, data: bytes
) -> tuple[bytes, bytes]:
    sealed = bytearray(cipher.ciphertext_length(len(data)) + cipher.info.tag_size)
    opened = bytearray(len(data))
    segment_cipher.encrypt_into(nonce, data, b"", sealed)
    segment_cipher.decrypt_into(nonce, sealed, b"", opened)
    return bytes(sealed), bytes(opened)


@contextmanager
def _tracing_memory() -> Iterator[list[int]]:
    """Fills in the most bytes that were allocated at once."""
    used: list[int] = []
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield used
        used.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        if not running:
            tracemalloc.stop()
