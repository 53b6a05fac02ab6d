"""One segment, encrypted and decrypted as the core does it, for the tests of ciphers."""

from __future__ import annotations

from collections.abc import Iterator

from tegmen.interfaces import Buffer, Cipher
from tegmen.testing.fakes import noise

ASSOCIATED_DATA = bytes(range(21))


def encrypt(
    cipher: Cipher,
    data: Buffer,
    *,
    key: bytes | None = None,
    nonce: bytes | None = None,
    associated_data: bytes | None = ASSOCIATED_DATA,
) -> bytes:
    """One segment, ciphertext and tag, into a buffer of exactly the declared size."""
    info = cipher.info
    size = memoryview(data).nbytes
    out = bytearray(cipher.ciphertext_length(size) + info.tag_size)
    segment_cipher = cipher.start(key or usual_key(cipher))
    nonce = nonce or usual_nonce(cipher)
    written = segment_cipher.encrypt_into(nonce, data, associated_data, out)
    assert written == len(out), f"{size} bytes: declared {len(out)}, returned {written}"
    return bytes(out)


def decrypt(
    cipher: Cipher,
    sealed: Buffer,
    length: int,
    *,
    key: bytes | None = None,
    nonce: bytes | None = None,
    associated_data: bytes | None = ASSOCIATED_DATA,
) -> bytes:
    """`length` bytes of plaintext; InvalidTag passes through."""
    out = bytearray(length)
    segment_cipher = cipher.start(key or usual_key(cipher))
    nonce = nonce or usual_nonce(cipher)
    written = segment_cipher.decrypt_into(nonce, sealed, associated_data, out)
    assert written == length, f"{length} bytes encrypted, decryption returned {written}"
    return bytes(out)


def ciphertext(
    cipher: Cipher, data: Buffer, *, key: bytes | None = None, nonce: bytes | None = None
) -> bytes:
    """As `encrypt`, without the tag."""
    sealed = encrypt(cipher, data, key=key, nonce=nonce)
    return sealed[: len(sealed) - cipher.info.tag_size]


def flips(data: bytes) -> Iterator[bytes]:
    """`data` with one bit turned over, for every bit."""
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


def usual_key(cipher: Cipher) -> bytes:
    """A key, the same on every run."""
    return noise(cipher.info.key_size, "key")


def usual_nonce(cipher: Cipher) -> bytes:
    """12 bytes from the core, and the zeros that follow them."""
    return noise(12, "nonce").ljust(cipher.info.nonce_size, b"\0")


def other_nonces(cipher: Cipher) -> list[bytes]:
    """The usual nonce with each bit of the core's 12 bytes turned over."""
    return [nonce.ljust(cipher.info.nonce_size, b"\0") for nonce in flips(noise(12, "nonce"))]


def other(data: bytes) -> bytes:
    """`data` with its first bit turned over."""
    return next(flips(data))
