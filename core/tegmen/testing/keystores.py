"""KeyStoreContract: the tests that every key store inherits, hostile cases included.

    class TestMine(KeyStoreContract):
        @pytest.fixture
        def store(self) -> KeyStore: ...      # one that holds the key `key_id`

        @pytest.fixture
        def key_id(self) -> str: ...

What a store can do beyond the minimum is recognised by isinstance and tested too. A store
that only wraps supplies `opener` as well: one that has the other half of the same key.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
from attrs import evolve

from tegmen.errors import CannotUnwrap, KeyNotFound, TegmenError, WrongKey
from tegmen.interfaces import KeyInfo, KeyStore
from tegmen.testing.keystore_powers import CONTEXT, OTHER_CONTEXT, KeyStorePowers

MAX_BLOB = 3 << 10


def spellings(secret: bytes) -> tuple[str, ...]:
    """How a secret would look if it leaked into text."""
    encoded = (base64.b64encode(secret), base64.urlsafe_b64encode(secret), secret.hex().encode())
    plain = (text.decode().rstrip("=") for text in encoded)
    # Within a longer repr, what else stands there decides whether an apostrophe is escaped.
    escaped = repr(secret + b'"')[2:-2]
    representations = (escaped, escaped.replace("\\'", "'"))
    return (*plain, secret.hex().upper(), *representations, str(list(secret))[1:-1])


def told(error: BaseException | None) -> Iterator[str]:
    """All that an error, and what it came from, says."""
    while error is not None:
        yield f"{error!r} {error} {getattr(error, 'hint', '')}"
        error = error.__cause__ or error.__context__


def damaged(blob: bytes, most: int) -> Iterator[bytes]:
    """`blob` cut at every length, and with one bit flipped, at no more than `most` places."""
    yield from (blob[:length] for length in range(len(blob)))
    yield blob + b"\0"
    yield from flipped(blob, most)


def flipped(data: bytes, most: int) -> Iterator[bytes]:
    """`data` with one bit turned over, at no more than `most` places."""
    for bit in range(0, 8 * len(data), max(1, 8 * len(data) // most)):
        altered = bytearray(data)
        altered[bit >> 3] ^= 1 << (bit & 7)
        yield bytes(altered)


def exclusive_or(one: bytes, two: bytes) -> bytes:
    """As long as the shorter of them."""
    return bytes(a ^ b for a, b in zip(one, two, strict=False))


def refusal(call: Callable[[], object]) -> TegmenError:
    """The typed error that `call` must raise."""
    with pytest.raises(TegmenError) as caught:
        call()
    return caught.value


class KeyStoreContract(KeyStorePowers):
    """Inherit it in a class called Test..., and supply `store` and `key_id`.

    Attributes:
        flips: most bits of a blob or context that are flipped; lower it for a store behind a
            network.
        deterministic: set it to True for a store that wraps a data key always alike by design
            (AES key wrap, a synthetic nonce), and say where that is specified.
    """

    flips: ClassVar[int] = 4096
    deterministic: ClassVar[bool] = False

    @pytest.fixture
    def store(self) -> KeyStore:
        """The store under test; it holds an enabled key `key_id`."""
        raise NotImplementedError

    @pytest.fixture
    def key_id(self) -> str:
        """The name of that key."""
        raise NotImplementedError

    @pytest.fixture
    def other_store(self) -> KeyStore | None:
        """A store of the same kind, whose key `key_id` is another key; None skips its tests."""
        return None

    @pytest.mark.parametrize("data_key", [bytes(32), b"\xff" * 32, bytes(range(32))])
    def test_gives_back_the_data_key(
        self, store: KeyStore, opener: KeyStore, key_id: str, data_key: bytes
    ) -> None:
        opened = opener.unwrap(store.wrap(key_id, data_key, CONTEXT), CONTEXT)
        assert type(opened) is bytes
        assert opened == data_key

    def test_is_a_key_store(self, store: KeyStore) -> None:
        assert isinstance(store, KeyStore)
        assert store.kind
        assert store.kind == store.kind.strip().lower()

    def test_says_how_it_wrapped(self, store: KeyStore, key_id: str) -> None:
        info, data_key = store.describe(key_id), os.urandom(32)
        wrapped = store.wrap(key_id, data_key, CONTEXT)
        assert (wrapped.key_id, wrapped.version) == (key_id, info.version)
        assert wrapped.algorithm == info.algorithm != ""
        assert (wrapped.check_kind, wrapped.check_value) == (info.check_kind, info.check_value)
        assert data_key not in wrapped.blob
        assert len(wrapped.blob) <= MAX_BLOB

    def test_describes_the_key(self, store: KeyStore, key_id: str) -> None:
        info = store.describe(key_id)
        assert isinstance(info, KeyInfo)
        assert (info.key_id, info.state) == (key_id, "enabled")
        assert bool(info.check_value) == (info.check_kind != "none")
        assert not info.versions or info.versions[-1] == (info.version, info.state)

    def test_binds_the_context(self, store: KeyStore, opener: KeyStore, key_id: str) -> None:
        wrapped = store.wrap(key_id, os.urandom(32), CONTEXT)
        turned = flipped(CONTEXT, self.flips)
        for context in (OTHER_CONTEXT, b"", CONTEXT[:-1], CONTEXT + b"\0", *turned):
            with pytest.raises(WrongKey):
                opener.unwrap(wrapped, context)

    def test_wraps_no_data_key_twice_alike(self, store: KeyStore, key_id: str) -> None:
        if self.deterministic:
            pytest.skip("this store wraps a data key always alike, by design")
        data_key = os.urandom(32)
        blobs = {store.wrap(key_id, data_key, CONTEXT).blob for _ in range(3)}
        assert len(blobs) == 3, "one data key, one blob"

    @pytest.mark.parametrize("context", [CONTEXT, OTHER_CONTEXT], ids=["same", "other"])
    def test_two_blobs_tell_nothing_of_two_data_keys(
        self, store: KeyStore, key_id: str, context: bytes
    ) -> None:
        one, two = os.urandom(32), os.urandom(32)
        first = store.wrap(key_id, one, CONTEXT).blob
        second = store.wrap(key_id, two, context).blob
        shown, secret = exclusive_or(first, second), exclusive_or(one, two)
        for place in range(0, 32, 8):
            assert secret[place : place + 8] not in shown, "two data keys, one keystream"

    def test_refuses_every_damaged_blob(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        wrapped = store.wrap(key_id, os.urandom(32), CONTEXT)
        messages = set()
        for blob in damaged(wrapped.blob, self.flips):
            with pytest.raises(WrongKey) as caught:
                opener.unwrap(evolve(wrapped, blob=blob), CONTEXT)
            messages.add(f"{caught.value} {caught.value.hint}")
        assert len(messages) == 1, f"failures must look alike: {messages}"

    def test_refuses_another_check_value(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        wrapped = store.wrap(key_id, os.urandom(32), CONTEXT)
        if wrapped.check_kind == "none":
            pytest.skip("this store has no key-check values")
        for value in (bytes(len(wrapped.check_value)), b""):
            with pytest.raises(WrongKey):
                opener.unwrap(evolve(wrapped, check_value=value), CONTEXT)

    def test_tells_another_key_of_the_same_name(
        self, store: KeyStore, key_id: str, other_store: KeyStore | None
    ) -> None:
        if other_store is None:
            pytest.skip("no other_store was supplied")
        here, there = store.describe(key_id), other_store.describe(key_id)
        assert here.check_kind == "none" or here.check_value != there.check_value
        wrapped = store.wrap(key_id, os.urandom(32), CONTEXT)
        with pytest.raises(WrongKey):
            other_store.unwrap(wrapped, CONTEXT)
        claimed = evolve(wrapped, check_value=there.check_value)
        with pytest.raises(WrongKey):
            other_store.unwrap(claimed, CONTEXT)

    def test_knows_no_other_key(self, store: KeyStore, opener: KeyStore, key_id: str) -> None:
        wrapped = store.wrap(key_id, os.urandom(32), CONTEXT)
        missing = "contract-no-such-key"
        for call in (
            lambda: store.describe(missing),
            lambda: store.wrap(missing, os.urandom(32), CONTEXT),
            lambda: opener.unwrap(evolve(wrapped, key_id=missing), CONTEXT),
        ):
            with pytest.raises(KeyNotFound):
                call()
        with pytest.raises((KeyNotFound, WrongKey)):
            opener.unwrap(evolve(wrapped, version="999999"), CONTEXT)

    def test_tells_no_secret(self, store: KeyStore, opener: KeyStore, key_id: str) -> None:
        data_key = os.urandom(32)
        wrapped = store.wrap(key_id, data_key, CONTEXT)
        altered = next(flipped(wrapped.blob, 1))
        errors = (
            refusal(lambda: opener.unwrap(wrapped, OTHER_CONTEXT)),
            refusal(lambda: opener.unwrap(evolve(wrapped, blob=altered), CONTEXT)),
            refusal(lambda: store.wrap("contract-no-such-key", data_key, CONTEXT)),
        )
        opener.unwrap(wrapped, CONTEXT)
        said = [text for error in errors for text in told(error)]
        said += [repr(store), str(store), repr(wrapped), repr(store.describe(key_id))]
        for spelling in spellings(data_key):
            assert not any(spelling in text for text in said), "the data key stands in a message"

    def test_a_store_that_only_wraps_says_so(
        self, store: KeyStore, opener: KeyStore, key_id: str
    ) -> None:
        if opener is store:
            pytest.skip("this store opens what it wraps")
        data_key = os.urandom(32)
        wrapped = store.wrap(key_id, data_key, CONTEXT)
        with pytest.raises(CannotUnwrap) as caught:
            store.unwrap(wrapped, CONTEXT)
        assert caught.value.hint, "say what would open it"
        said = [*told(caught.value)]
        assert not any(spelling in text for spelling in spellings(data_key) for text in said)

    def test_serves_several_threads(self, store: KeyStore, opener: KeyStore, key_id: str) -> None:
        def work(worker: int) -> None:
            for turn in range(50):
                data_key, context = os.urandom(32), bytes((worker, turn)) * 8
                wrapped = store.wrap(key_id, data_key, context)
                assert opener.unwrap(wrapped, context) == data_key

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
