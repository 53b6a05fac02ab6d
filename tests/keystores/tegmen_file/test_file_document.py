"""The file form: read back exactly, refused when anything else, readable from its text alone."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings, strategies as st

from tegmen.errors import KeyStoreError, StoreDamaged, StoreUnavailable
from tegmen.interfaces import KeyState, Wrapped
from tegmen_file import FileOptions
from tegmen_file.document import (
    Argon2Cost,
    Document,
    KeyRecord,
    Root,
    VersionRecord,
    decode,
    encode,
    name_fault,
)
from tegmen_file.store import FileStore

VECTORS = Path(__file__).parent / "vectors"

TIME = "2026-01-31T12:00:00Z"


def octets(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


names = st.text(min_size=1, max_size=30).filter(lambda name: name_fault(name) is None)
costs = st.builds(Argon2Cost, st.integers(1, 16), st.integers(1, 16), st.integers(128, 1 << 20))
roots = st.one_of(
    st.builds(Root, st.just("key-file"), octets(32), st.none(), octets(16)),
    st.builds(Root, st.just("passphrase"), octets(32), costs, octets(16)),
)


@st.composite
def key_records(draw: st.DrawFn, name: str) -> KeyRecord:
    gone = draw(st.booleans())
    states: st.SearchStrategy[KeyState] = (
        st.just("destroyed") if gone else st.sampled_from(["enabled", "disabled"])
    )
    secret = st.none() if gone else octets(60)
    versions = tuple(
        VersionRecord(number, TIME, draw(states), draw(octets(16)), draw(secret))
        for number in range(1, draw(st.integers(1, 3)) + 1)
    )
    return KeyRecord(name, draw(secret), versions)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    wanted = sorted(draw(st.sets(names, max_size=3)))
    keys = tuple(draw(key_records(name)) for name in wanted)
    return Document(draw(roots), keys, draw(octets(32)))


SAMPLE = Document(
    Root("passphrase", bytes(32), Argon2Cost(), bytes(16)),
    (
        KeyRecord("ward", bytes(60), (VersionRecord(1, TIME, "enabled", bytes(16), bytes(60)),)),
        KeyRecord("x", None, (VersionRecord(1, TIME, "destroyed", bytes(16), None),)),
    ),
)


@given(documents())
def test_reads_what_it_wrote(document: Document) -> None:
    assert decode(encode(document), "here") == document


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StoreDamaged, match="here is not a well-formed key store"):
        decode(data, "here")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    if not isinstance(value, (dict, list)):
        return found
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, element in inside:
        found += places(element, (*path, key))
    return found


strange = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@settings(max_examples=300)
@given(st.sampled_from(places(json.loads(encode(SAMPLE)))), strange)
def test_a_strange_value_anywhere_is_refused_or_kept_as_it_is(
    path: tuple[Any, ...], value: Any
) -> None:
    members = json.loads(encode(SAMPLE))
    inner = members
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    data = json.dumps(members, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    try:
        assert encode(decode(data, "here")) == data
    except KeyStoreError as error:
        assert "here" in str(error)  # either outcome is right


def altered(**members: Any) -> bytes:
    value = json.loads(encode(SAMPLE)) | members
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


GOOD = encode(SAMPLE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        GOOD[:-1],
        GOOD + b"\n",
        b" " + GOOD,
        GOOD.replace(b'"version":1', b'"version":1,"version":1'),
        GOOD.replace(b'"version":1', b'"version":1.0'),
        GOOD.replace(b'"version":1', b'"version":true'),
        GOOD.replace(b'"version":1', b'"version":"1"'),
        GOOD.replace(b'"version":1', b'"version":0'),
        GOOD.replace(b'"number":1', b'"number":2'),
        GOOD.replace(b'"number":1', b'"number":' + b"9" * 5000),
        GOOD.replace(b'"enabled"', b'"destroyed"'),
        GOOD.replace(b'"destroyed"', b'"enabled"'),
        GOOD.replace(b'"name":"x"', b'"name":"ward"'),
        GOOD.replace(b'"name":"x"', b'"name":"a"'),
        GOOD.replace(b'"name":"x"', b'"name":" x"'),
        GOOD.replace(b'"name":"x"', b'"name":"x\\ud800"'),
        GOOD.replace(b'"name":"x"', b'"name":"xe\\u0301"'),
        GOOD.replace(b'"name":"x"', b'"name":"x\\u001b[2J"'),
        GOOD.replace(b'"name":"x"', b'"name":"' + b"x" * 129 + b'"'),
        GOOD.replace(TIME.encode(), b"2026-01-31T12:00:00+01"),
        GOOD.replace(b"00000000", b"0000000 ", 1),
        GOOD.replace(b'"kind":"passphrase"', b'"kind":"key-file"'),
        altered(surplus=1),
        altered(keys={}),
        altered(keys="ward"),
        altered(mac="00"),
        altered(mac="AA" * 32),
        altered(format="something else"),
        GOOD.decode().encode("utf-16"),
        b"[" * 100_000,
        b'{"keys":' * 100_000,
    ],
)
def test_anything_but_the_written_form_is_refused(data: bytes) -> None:
    assert data != GOOD
    with pytest.raises(StoreDamaged):
        decode(data, "here")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("memory_kib", (1 << 20) + 1),
        ("memory_kib", 100 << 20),
        ("memory_kib", 127),
        ("iterations", 17),
        ("iterations", 0),
        ("lanes", 17),
        ("lanes", -1),
    ],
)
def test_a_hostile_cost_is_refused_before_it_is_paid(member: str, value: int) -> None:
    members = json.loads(GOOD)
    members["root"]["argon2id"][member] = value
    with pytest.raises(StoreDamaged):
        decode(altered(**members), "here")


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(StoreDamaged):
        decode(GOOD + b" " * (16 << 20), "here")
    many = tuple(evolve(SAMPLE.keys[0], name=f"{n:06}") for n in range(60_000))
    with pytest.raises(StoreUnavailable, match="more than"):
        encode(evolve(SAMPLE, keys=many))


def test_a_later_version_asks_for_an_update() -> None:
    with pytest.raises(StoreUnavailable, match="version 2") as caught:
        decode(altered(version=2), "here")
    assert "update" in caught.value.hint


# A reader written from the text of document.py alone, with nothing of its code.


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def json_bytes(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def unwrap(key: bytes, wrapped: bytes, associated_data: bytes) -> bytes:
    return AESGCM(key).decrypt(wrapped[:12], wrapped[12:], associated_data)


def strangers_key(data: bytes, secret: bytes, name: str, number: int) -> tuple[bytes, bytes]:
    """The key-encryption key and the PRF secret."""
    members = json.loads(data)
    root = members["root"]
    salt = bytes.fromhex(root["salt"])
    root_key = {
        label: hkdf(secret, salt, b"tegmen/file/1 " + label)
        for label in (b"check", b"wrap", b"document")
    }
    assert root_key[b"check"][:16].hex() == root["check"]
    mac = members.pop("mac")
    assert hmac.digest(root_key[b"document"], json_bytes(members), "sha256").hex() == mac
    (key,) = [key for key in members["keys"] if key["name"] == name]
    version = key["versions"][number - 1]
    what = json_bytes(["key", name, number, version["state"]])
    key_key = unwrap(root_key[b"wrap"], bytes.fromhex(version["wrapped"]), what)
    check_key = hkdf(key_key, b"", b"tegmen/file/1 key check")
    check = hmac.digest(check_key, b"tegmen key check", "sha256")[:16]
    assert check.hex() == version["check"]
    prf = unwrap(root_key[b"wrap"], bytes.fromhex(key["prf"]), json_bytes(["prf", name]))
    return key_key, prf


def stretched(passphrase: bytes, root: dict[str, Any]) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    cost = root["argon2id"]
    return Argon2id(
        salt=bytes.fromhex(root["salt"]),
        length=32,
        iterations=cost["iterations"],
        lanes=cost["lanes"],
        memory_cost=cost["memory_kib"],
    ).derive(passphrase)


@pytest.mark.parametrize("kind", ["key-file", "passphrase"])
def test_a_stranger_and_this_release_read_the_frozen_store(kind: str, tmp_path: Path) -> None:
    vector = json.loads((VECTORS / f"{kind}.json").read_bytes())
    data = vector["store"].encode()
    secret, context = bytes.fromhex(vector["secret"]), bytes.fromhex(vector["context"])
    blob, name = bytes.fromhex(vector["blob"]), vector["key_id"]

    root_secret = secret
    if kind == "passphrase":
        root_secret = stretched(secret, json.loads(data)["root"])
    key, prf = strangers_key(data, root_secret, name, 2)
    bound = json_bytes(["tegmen/file/1", name, 2]) + context
    assert unwrap(key, blob, bound).hex() == vector["data_key"]
    assert hmac.digest(prf, b"purpose", hashlib.sha256).hex() == vector["prf"]

    options = {
        "key-file": FileOptions(path=Path(), key_file=Path("secret")),
        "passphrase": FileOptions(path=Path(), passphrase_file=Path("secret")),
    }
    for path, content in ((tmp_path / "secret", secret), (tmp_path / "keystore.json", data)):
        path.write_bytes(content)
        path.chmod(0o600)
    store = FileStore(options[kind], tmp_path)
    info = store.describe(name)
    wrapped = Wrapped(name, "2", info.check_kind, info.check_value, info.algorithm, blob)
    assert store.unwrap(wrapped, context).hex() == vector["data_key"]
    assert store.prf(name, b"purpose").hex() == vector["prf"]
    assert info.versions == (("1", "disabled"), ("2", "enabled"))
