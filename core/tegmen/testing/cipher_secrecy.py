"""The part of CipherContract that tests what a ciphertext gives away without its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

import pytest

from tegmen.interfaces import Buffer, Cipher
from tegmen.testing.fakes import noise
from tegmen.testing.segments import (
    ciphertext,
    encrypt,
    flips,
    other_nonces,
    usual_key,
    usual_nonce,
)

RUN = 8
"""Bytes in a row that two things without a connection do not share."""
LEAST_KEY = 16
"""Bytes of key that the ciphertext itself depends on; the others may be those of the tag."""
Promise = Literal["secrecy", "nonce", "key"]


def runs(data: bytes, step: int = 1) -> set[bytes]:
    """All that stands in RUN bytes in a row, from every `step`th place on."""
    return {data[place : place + RUN] for place in range(0, len(data) - RUN + 1, step)}


def exclusive_or(*all_data: bytes) -> bytes:
    """As long as the shortest of them."""
    length = min(map(len, all_data))
    outcome = 0
    for data in all_data:
        outcome ^= int.from_bytes(data[:length], "big")
    return outcome.to_bytes(length, "big")


def idle_bits(cipher: Cipher, data: Buffer, key: bytes) -> Iterator[int]:
    """The bits of `key` that change nothing."""
    sealed = encrypt(cipher, data, key=key)
    for bit, altered in enumerate(flips(key)):
        if encrypt(cipher, data, key=altered) == sealed:
            yield bit


class CipherSecrecy:
    """Tests that no cipher passes which shows the plaintext, alone or by two ciphertexts.

    Attributes:
        lacks: for a cipher of tier legacy or research, what it does not promise, and why:
            `secrecy` (it shows plaintext), `nonce` (it takes none), `key` (it leaves bytes of
            its key unused). A standard cipher lacks nothing.
    """

    lacks: ClassVar[Mapping[Promise, str]] = {}

    def _promises(self, cipher: Cipher, promise: Promise) -> None:
        if promise in self.lacks:
            assert cipher.info.tier != "standard", f"a standard cipher cannot lack {promise}"
            pytest.skip(self.lacks[promise])

    def test_shows_no_plaintext(self, cipher: Cipher) -> None:
        self._promises(cipher, "secrecy")
        most = cipher.info.max_part or 4095
        for length in (*range(RUN, 71), min(most, 4095)):
            for data in (noise(length), bytes(length)):
                shown = runs(data, RUN) & runs(encrypt(cipher, data))
                assert not shown, f"{length} bytes: {min(shown).hex()} passes as it is"

    def test_two_nonces_share_no_keystream(self, cipher: Cipher) -> None:
        self._promises(cipher, "nonce")
        one, two = noise(512, "one"), noise(512, "two")
        elsewhere = noise(12, "another").ljust(cipher.info.nonce_size, b"\0")
        first = ciphertext(cipher, one)
        for data in (one, two):
            second = ciphertext(cipher, data, nonce=elsewhere)
            shared = exclusive_or(first, second, one, data)
            assert bytes(RUN) not in shared, "two ciphertexts give away two plaintexts"

    def test_another_nonce_gives_another_ciphertext(self, cipher: Cipher) -> None:
        """Every bit of the core's 12 bytes counts, and not for the tag alone."""
        self._promises(cipher, "nonce")
        data = noise(100)
        nonces = [usual_nonce(cipher), *other_nonces(cipher)]
        found = {ciphertext(cipher, data, nonce=nonce) for nonce in nonces}
        assert len(found) == len(nonces), "two nonces, one ciphertext"

    def test_every_byte_of_the_key_counts(self, cipher: Cipher) -> None:
        """One bit in eight may be idle, as the parity bits of DES are."""
        self._promises(cipher, "key")
        idle = [bit // 8 for bit in idle_bits(cipher, noise(64), usual_key(cipher))]
        weak = {place for place in idle if idle.count(place) > 1}
        assert not weak, f"bytes {sorted(weak)} of the key change too little"

    def test_the_ciphertext_depends_on_the_key(self, cipher: Cipher) -> None:
        """On 128 bits at the least, however much of the key is for the tag."""
        self._promises(cipher, "key")
        data, key = noise(64), usual_key(cipher)
        usual = ciphertext(cipher, data)
        used = [
            place
            for place in range(len(key))
            if ciphertext(cipher, data, key=_with_another_byte(key, place)) != usual
        ]
        assert len(used) >= LEAST_KEY, f"only bytes {used} of the key change the ciphertext"


def _with_another_byte(key: bytes, place: int) -> bytes:
    altered = bytearray(key)
    altered[place] ^= 0xFF
    return bytes(altered)
