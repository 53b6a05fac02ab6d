"""The cipher contract goes red, in the right place, on every cipher that is wrong."""

from __future__ import annotations

from collections import defaultdict

import pytest

TAG_TESTS = {
    "test_every_flipped_bit_is_refused",
    "test_other_associated_data_is_refused",
    "test_another_nonce_is_refused",
    "test_another_length_is_refused",
}
NONCE_TESTS = {
    "test_another_nonce_gives_another_ciphertext",
    "test_two_nonces_share_no_keystream",
}
KEY_TESTS = {"test_every_byte_of_the_key_counts", "test_the_ciphertext_depends_on_the_key"}
FAULTS = {
    "HostileCipher": set[str](),
    "LyingCipher": TAG_TESTS | {"test_another_key_gives_another_ciphertext"},
    "DeafCipher": {"test_other_associated_data_is_refused"},
    "OneNonceCipher": NONCE_TESTS | {"test_another_nonce_is_refused"},
    "OneKeyCipher": KEY_TESTS | {"test_another_key_gives_another_ciphertext"},
    "DestructiveCipher": {"test_inputs_are_not_modified"},
    "UnsafeCipher": {"test_threads_may_share_it"},
    "HungryCipher": {"test_memory_is_as_declared"},
    "ClearCipher": NONCE_TESTS
    | {"test_shows_no_plaintext", "test_the_ciphertext_depends_on_the_key"},
    "OnePadCipher": NONCE_TESTS,
    "ShortKeyCipher": {"test_the_ciphertext_depends_on_the_key"},
    "ShortestKeyCipher": KEY_TESTS,
}
SPREADING = {
    "MiscountingCipher": {"test_ciphertext_length_is_exact"},
    "UndeclaringCipher": {"test_ciphertext_length_is_exact"},
    "CountingCipher": {"test_segments_stand_alone"},
    "UnboundedCipher": {
        "test_names_are_complete",
        "test_sizes_are_possible",
        "test_segmenting_is_possible",
    },
}
"""Faults that other tests trip over as well."""

HEAD = """
import pytest
from tegmen.testing import ciphers, hostile_ciphers
"""
TEST_CLASS = """
class Test{name}(ciphers.CipherContract):
    @pytest.fixture
    def cipher(self):
        return hostile_ciphers.{name}()
"""


LACKING = """
from attrs import evolve

class TestControl(ciphers.CipherContract):
    lacks = dict.fromkeys(["secrecy", "nonce", "key"], "it is a control")

    @pytest.fixture
    def cipher(self):
        return hostile_ciphers.ClearCipher()

class Pretender(hostile_ciphers.ClearCipher):
    info = evolve(hostile_ciphers.ClearCipher.info, tier="standard")

class TestPretender(TestControl):
    @pytest.fixture
    def cipher(self):
        return Pretender()
"""


def failures(pytester: pytest.Pytester, classes: str) -> dict[str, set[str]]:
    """The contract's tests that fail, by cipher; parameters left out."""
    pytester.makepyfile(HEAD + classes)
    run = pytester.inline_run("-q", "-p", "no:cacheprovider")
    found: dict[str, set[str]] = defaultdict(set)
    for report in run.listoutcomes()[2]:
        _, cipher, test = report.nodeid.split("::")
        found[cipher.removeprefix("Test")].add(test.partition("[")[0])
    return found


def test_each_fault_is_caught_where_it_is(pytester: pytest.Pytester) -> None:
    names = [*FAULTS, *SPREADING]
    found = failures(pytester, "".join(TEST_CLASS.format(name=name) for name in names))
    assert {name: found[name] for name in FAULTS} == FAULTS
    missed = {name: tests - found[name] for name, tests in SPREADING.items()}
    assert not any(missed.values()), missed


def test_only_what_is_no_standard_cipher_may_lack_something(pytester: pytest.Pytester) -> None:
    expected = NONCE_TESTS | KEY_TESTS | {"test_shows_no_plaintext"}
    assert failures(pytester, LACKING) == {"Pretender": expected}
