"""What it writes is what RFC 9180, RFC 8410 and its own description say, by another route."""

from __future__ import annotations

import hmac
import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given, strategies as st

from tegmen.interfaces import Wrapped
from tegmen_recovery import RecoveryOptions
from tegmen_recovery.store import RecoveryStore

OpenStore = Callable[..., RecoveryStore]
Tool = Callable[[str], str]

VECTOR = Path(__file__).parent / "vectors" / "recovery-1.json"
CONTEXT = bytes(range(16))
DATA_KEY = bytes(range(100, 132))

# ---------------------------------------------------------------- a second HPKE, for opening


class Hpke:
    """DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-GCM in base mode, from RFC 9180 alone."""

    KEM = b"KEM" + bytes((0x00, 0x20))

    def __init__(self, aead_id: int, key_size: int) -> None:
        self._suite = b"HPKE" + bytes((0x00, 0x20, 0x00, 0x01, 0x00, aead_id))
        self._key_size = key_size

    def open(
        self, enc: bytes, private: X25519PrivateKey, info: bytes, aad: bytes, ct: bytes
    ) -> bytes:
        shared = self._decap(enc, private)
        empty = self._extract(b"", self._suite, b"psk_id_hash", b"")
        context = b"\0" + empty + self._extract(b"", self._suite, b"info_hash", info)
        secret = self._extract(shared, self._suite, b"secret", b"")
        key = self._expand(secret, self._suite, b"key", context, self._key_size)
        nonce = self._expand(secret, self._suite, b"base_nonce", context, 12)
        return AESGCM(key).decrypt(nonce, ct, aad)

    def _decap(self, enc: bytes, private: X25519PrivateKey) -> bytes:
        dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
        context = enc + private.public_key().public_bytes_raw()
        prk = self._extract(b"", self.KEM, b"eae_prk", dh)
        return self._expand(prk, self.KEM, b"shared_secret", context, 32)

    @staticmethod
    def _extract(salt: bytes, suite: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    @staticmethod
    def _expand(prk: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return HKDFExpand(SHA256(), length, labelled).derive(prk)


def described_info(key_id: str, context: bytes) -> bytes:
    """The CBOR array of the description, written by hand; for short names."""
    name = key_id.encode()
    label = b"tegmen/recovery/1"
    head = b"\x83" + bytes((0x60 + len(label),)) + label
    size = bytes((0x60 + len(name),)) if len(name) < 24 else bytes((0x78, len(name)))
    return head + size + name + bytes((0x40 + len(context),)) + context


def open_by_hand(blob: bytes, private: X25519PrivateKey, key_id: str, context: bytes) -> bytes:
    info = described_info(key_id, context)
    return Hpke(aead_id=2, key_size=32).open(blob[:32], private, info, b"", blob[32:])


def test_the_second_implementation_opens_the_published_vector() -> None:
    """RFC 9180, A.1.1: same KEM and KDF, AES-128-GCM."""
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    opened = Hpke(aead_id=1, key_size=16).open(
        bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"),
        private,
        b"Ode on a Grecian Urn",
        b"Count-0",
        bytes.fromhex(
            "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
            "6d8770ac83d07bea87e13c512a"
        ),
    )
    assert opened == b"Beauty is truth, truth beauty"


def private_key(path: Path) -> X25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, X25519PrivateKey)
    return key


def test_a_blob_is_hpke_by_the_book(new_store: OpenStore, private: Path) -> None:
    wrapped = new_store().wrap("recovery", DATA_KEY, CONTEXT)
    assert len(wrapped.blob) == 32 + 32 + 16
    key = private_key(private)
    assert open_by_hand(wrapped.blob, key, "recovery", CONTEXT) == DATA_KEY
    with pytest.raises(InvalidTag):
        open_by_hand(wrapped.blob, key, "recovery", CONTEXT[::-1])


def test_the_vector_still_opens(tmp_path: Path) -> None:
    """A blob made when version 1 was written: a later release must open it."""
    vector = json.loads(VECTOR.read_text())
    for name in ("public", "private"):
        path = tmp_path / f"{name}.pem"
        path.write_text(vector[name])
        path.chmod(0o600)
    options = RecoveryOptions(
        Path("public.pem"), vector["check_value"], Path("private.pem"), vector["key_id"]
    )
    store = RecoveryStore(options, tmp_path)
    info = store.describe(vector["key_id"])
    blob, context = bytes.fromhex(vector["blob"]), bytes.fromhex(vector["context"])
    wrapped = Wrapped(info.key_id, "1", "spki-sha-256", info.check_value, vector["algorithm"], blob)
    assert store.unwrap(wrapped, context).hex() == vector["data_key"]
    key = private_key(tmp_path / "private.pem")
    assert open_by_hand(blob, key, info.key_id, context).hex() == vector["data_key"]


def test_no_two_blobs_are_alike(new_store: OpenStore) -> None:
    store = new_store()
    blobs = {store.wrap("recovery", DATA_KEY, CONTEXT).blob for _ in range(50)}
    assert len({blob[:32] for blob in blobs}) == len({blob[32:] for blob in blobs}) == 50


@given(
    st.tuples(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9:+=-]{0,40}", fullmatch=True), st.binary(max_size=20)
    ),
    st.tuples(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9:+=-]{0,40}", fullmatch=True), st.binary(max_size=20)
    ),
)
def test_what_is_bound_cannot_be_read_two_ways(
    one: tuple[str, bytes], two: tuple[str, bytes]
) -> None:
    infos = [
        RecoveryStore(RecoveryOptions(Path("p"), key_id=name), Path())._info(context)
        for name, context in (one, two)
    ]
    assert infos[0] == described_info(*one)
    assert (infos[0] == infos[1]) == (one == two)


# ---------------------------------------------------------------- PEM, read by OpenSSL


def openssl(tool: str, *arguments: str | Path) -> bytes:
    return subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True).stdout


def test_openssl_reads_both_halves(
    new_store: OpenStore, public: Path, private: Path, requires_tool: Tool
) -> None:
    tool = requires_tool("openssl")
    check = new_store().describe("recovery").check_value
    assert b"X25519 Private-Key" in openssl(tool, "pkey", "-in", private, "-text", "-noout")
    assert b"X25519 Public-Key" in openssl(tool, "pkey", "-pubin", "-in", public, "-text", "-noout")
    for half in (("-in", private), ("-pubin", "-in", public)):
        spki = openssl(tool, "pkey", *half, "-pubout", "-outform", "DER")
        assert sha256(spki).digest() == check
    assert openssl(tool, "pkey", "-in", private, "-pubout") == public.read_bytes()


def test_openssl_reads_an_encrypted_key(
    new_store: OpenStore, private: Path, public: Path, passphrase_file: Path, requires_tool: Tool
) -> None:
    tool = requires_tool("openssl")
    new_store(passphrase_file=passphrase_file)
    assert private.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    passin = f"file:{passphrase_file}"
    assert (
        openssl(tool, "pkey", "-in", private, "-passin", passin, "-pubout") == public.read_bytes()
    )


def test_a_pair_that_openssl_made_works(
    tmp_path: Path, open_store: OpenStore, public: Path, private: Path, requires_tool: Tool
) -> None:
    tool = requires_tool("openssl")
    private.parent.mkdir(mode=0o700)
    openssl(tool, "genpkey", "-algorithm", "X25519", "-out", private)
    private.chmod(0o600)
    openssl(tool, "pkey", "-in", private, "-pubout", "-out", public)
    store = open_store()
    assert store.unwrap(store.wrap("recovery", DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY


@pytest.mark.parametrize("how", [("-scrypt",), ("-v2", "aes-256-cbc", "-iter", "600000")])
def test_a_key_that_openssl_encrypted_more_slowly_opens(
    how: tuple[str, ...],
    open_store: OpenStore,
    new_store: OpenStore,
    private: Path,
    passphrase_file: Path,
    requires_tool: Tool,
) -> None:
    tool = requires_tool("openssl")
    wrapped = new_store().wrap("recovery", DATA_KEY, CONTEXT)
    passout = ("-passout", f"file:{passphrase_file}")
    private.write_bytes(openssl(tool, "pkcs8", "-topk8", *how, "-in", private, *passout))
    store = open_store(passphrase_file=passphrase_file)
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY
