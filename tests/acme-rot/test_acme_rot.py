"""acme-rot keeps the contract of a cipher, although it protects nothing."""

import pytest
from acme_rot import AcmeRot

from tegmen.interfaces import Cipher
from tegmen.testing.ciphers import CipherContract


class TestAcmeRot(CipherContract):
    @pytest.fixture
    def cipher(self) -> Cipher:
        return AcmeRot()


def test_known_answer() -> None:
    sealed = bytearray(3)
    AcmeRot().start(b"\1" * 32).encrypt_into(b"\2" * 12, b"abc", None, sealed)
    assert sealed == b"def"
