"""The shipped AEAD ciphers: the contract, published vectors, and what their buffers hold."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm

import tegmen_aead
from tegmen.errors import PluginBroken
from tegmen.interfaces import Cipher
from tegmen.testing.ciphers import CipherContract

OFFERS = {offer.name: offer for offer in tegmen_aead.tegmen_ciphers()}


@pytest.fixture(params=sorted(OFFERS))
def cipher(request: pytest.FixtureRequest, tmp_path: Path) -> Cipher:
    return OFFERS[request.param].make(None, tmp_path)


class TestContract(CipherContract):
    """Every offered cipher, through the fixture above."""


class Vector(NamedTuple):
    """Hexadecimal, but for `source`."""

    source: str
    name: str
    key: str
    nonce: str
    associated_data: str
    plaintext: str
    sealed: str


SUNSCREEN = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
    b"future, sunscreen would be it."
)
VECTORS = [
    Vector(
        "NIST CAVP gcmEncryptExtIV256, 0-bit plaintext",
        "aes-256-gcm",
        "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
        "516c33929df5a3284ff463d7",
        "",
        "",
        "bdc1ac884d332457a1d2664f168c76f0",
    ),
    Vector(
        "NIST CAVP gcmEncryptExtIV256, 128-bit plaintext, 160-bit associated data",
        "aes-256-gcm",
        "83688deb4af8007f9b713b47cfa6c73e35ea7a3aa4ecdb414dded03bf7a0fd3a",
        "0b459724904e010a46901cf3",
        "794a14ccd178c8ebfd1379dc704c5e208f9d8424",
        "33d893a2114ce06fc15d55e454cf90c3",
        "cc66bee423e3fcd4c0865715e95866960fb291bd3dba94a1dfd8b286cfb97ac5",
    ),
    Vector(
        "RFC 8439, 2.8.2",
        "chacha20-poly1305",
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647",
        "50515253c0c1c2c3c4c5c6c7",
        SUNSCREEN.hex(),
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
    ),
    Vector(
        "RFC 8452, C.2",
        "aes-256-gcm-siv",
        "3c535de192eaed3822a2fbbe2ca9dfc88255e14a661b8aa82cc54236093bbc23",
        "688089e55540db1872504e1c",
        "734320ccc9d9bbbb19cb81b2af4ecbc3e72834321f7aa0f70b7282b4f33df23f167541",
        "ced532ce4159b035277d4dfbb7db62968b13cd4eec",
        "626660c26ea6612fb17ad91e8e767639edd6c9faee9d6c7029675b89eaf4ba1ded1a286594",
    ),
    Vector(
        "RFC 8452, C.3: the counter wraps",
        "aes-256-gcm-siv",
        "00" * 32,
        "00" * 12,
        "",
        "000000000000000000000000000000004db923dc793ee6497c76dcc03a98e108",
        "f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3ea"
        "ffffffff000000000000000000000000",
    ),
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector.name} {vector.source}")
def test_published_vector(vector: Vector, tmp_path: Path) -> None:
    key, nonce, associated_data, plaintext, sealed = map(bytes.fromhex, vector[2:])
    segment_cipher = OFFERS[vector.name].make(None, tmp_path).start(key)
    out, back = bytearray(len(sealed)), bytearray(len(plaintext))
    segment_cipher.encrypt_into(nonce, plaintext, associated_data, out)
    assert out.hex() == vector.sealed
    segment_cipher.decrypt_into(nonce, out, associated_data, back)
    assert back == plaintext


def test_every_cipher_has_a_vector() -> None:
    assert {vector.name for vector in VECTORS} == set(OFFERS)


def test_buffer_is_dirty_after_a_refusal(cipher: Cipher) -> None:
    """Why callers wipe it: nearly all the plaintext is there although the tag failed."""
    segment_cipher, nonce, data = cipher.start(bytes(32)), bytes(12), b"x" * 4096
    sealed, out = bytearray(4096 + 16), bytearray(4096)
    segment_cipher.encrypt_into(nonce, data, None, sealed)
    sealed[0] ^= 1
    with pytest.raises(InvalidTag):
        segment_cipher.decrypt_into(nonce, sealed, None, out)
    assert out[1:] == data[1:]


def test_no_wrapper_stands_in_the_way(cipher: Cipher) -> None:
    assert type(cipher.start(bytes(32))).__module__.startswith("cryptography.")


def test_an_openssl_without_the_cipher_is_a_typed_error(tmp_path: Path) -> None:
    from tegmen_aead import ciphers

    def missing(_key: bytes) -> None:
        raise UnsupportedAlgorithm("not in this OpenSSL")

    lacking = ciphers.AeadCipher(ciphers.AES_256_GCM_SIV.info, missing)  # type: ignore[arg-type]
    with pytest.raises(PluginBroken, match="aes-256-gcm-siv") as caught:
        ciphers.make(lacking, None, tmp_path)
    assert "aes-256-gcm" in caught.value.hint
