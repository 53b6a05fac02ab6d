"""What goes wrong with files and disks: a typed error, no secret in it, nothing half made."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tegmen.errors import (
    AccessDenied,
    CannotUnwrap,
    InsecureConfig,
    KeyStoreError,
    OutputError,
    StoreDamaged,
    StoreUnavailable,
    TegmenError,
    WrongKey,
)
from tegmen.interfaces import Wrapped
from tegmen.testing.keystores import spellings, told
from tegmen_recovery.pem import new_key
from tegmen_recovery.store import RecoveryStore

OpenStore = Callable[..., RecoveryStore]

CONTEXT = bytes(range(16))
DATA_KEY = bytes(range(100, 132))

EC = generate_private_key(SECP256R1())


def public_pem(key: EllipticCurvePublicKey | X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: EllipticCurvePrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def wrapped(new_store: OpenStore) -> Wrapped:
    """A data key, wrapped by a store that is made for it."""
    return new_store().wrap("recovery", DATA_KEY, CONTEXT)


# ---------------------------------------------------------------- damaged files

NO_PEM = {
    "empty": b"",
    "garbage": b"\x00\x01\xff\xfe garbage",
    "text": b"no PEM at all\n",
    "cut": b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA",
    "huge": b"A" * (1 << 20) + b"\n",
    "no ASN.1": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
}


@pytest.mark.parametrize(
    "content",
    [
        *NO_PEM.values(),
        private_pem(X25519PrivateKey.generate()),
        public_pem(EC.public_key()),
        public_pem(X25519PublicKey.from_public_bytes(bytes(32))),
        public_pem(X25519PublicKey.from_public_bytes(b"\1" + bytes(31))),
    ],
    ids=[*NO_PEM, "private half", "another kind", "the point 0", "the point 1"],
)
def test_what_is_no_public_key_is_refused(
    wrapped: Wrapped, open_store: OpenStore, public: Path, content: bytes
) -> None:
    public.write_bytes(content)
    store = open_store()
    for call in (
        lambda: store.wrap("recovery", DATA_KEY, CONTEXT),
        lambda: store.unwrap(wrapped, CONTEXT),
        lambda: store.describe("recovery"),
        store.list_keys,
    ):
        with pytest.raises(StoreDamaged, match=r"public\.pem"):
            call()
    assert "public.pem" in str(store.probe())


@pytest.mark.parametrize(
    "content",
    [*NO_PEM.values(), public_pem(EC.public_key()), new_key().public.pem(), private_pem(EC)],
    ids=[*NO_PEM, "another public key", "public half", "another kind"],
)
def test_what_is_no_private_key_is_refused(
    wrapped: Wrapped, open_store: OpenStore, private: Path, content: bytes
) -> None:
    private.write_bytes(content.replace(b"PUBLIC KEY-----\nAAAA", b"PRIVATE KEY-----\nAAAA"))
    store = open_store()
    with pytest.raises(StoreDamaged, match=r"private\.pem"):
        store.unwrap(wrapped, CONTEXT)
    assert store.wrap("recovery", DATA_KEY, CONTEXT), "sealing needs no private key"


def flips(whole: bytes) -> Iterator[bytes]:
    """`whole` with one bit flipped, and cut, at every byte."""
    for place in range(len(whole)):
        yield whole[:place] + bytes((whole[place] ^ 1 << place % 8,)) + whole[place + 1 :]
        yield whole[:place]


def test_no_damage_to_the_public_key_is_overlooked_with_a_check_value(
    wrapped: Wrapped, open_store: OpenStore, public: Path
) -> None:
    """Without one, one flip in four gives another key that nobody can open."""
    overlooked, check = 0, wrapped.check_value.hex()
    for damaged in flips(public.read_bytes()):
        public.write_bytes(damaged)
        try:
            info = open_store(check_value=check).describe("recovery")
        except KeyStoreError:
            try:
                open_store().describe("recovery")
            except StoreDamaged:
                continue
            overlooked += 1
        else:
            assert info.check_value == wrapped.check_value, "harmless, as another line end is"
    assert overlooked > 10, "if PEM noticed its own damage, no check value would be needed"


@pytest.mark.parametrize("encrypted", [False, True])
def test_no_damage_to_the_private_key_opens_anything_else(
    open_store: OpenStore,
    new_store: OpenStore,
    private: Path,
    passphrase_file: Path,
    encrypted: bool,
) -> None:
    way = {"passphrase_file": passphrase_file} if encrypted else {}
    wrapped = new_store(**way).wrap("recovery", DATA_KEY, CONTEXT)
    for damaged in flips(private.read_bytes()):
        private.write_bytes(damaged)
        with contextlib.suppress(StoreDamaged, WrongKey, AccessDenied):
            assert open_store(**way).unwrap(wrapped, CONTEXT) == DATA_KEY


def test_a_missing_public_key_is_named(
    wrapped: Wrapped, open_store: OpenStore, public: Path
) -> None:
    public.unlink()
    with pytest.raises(StoreUnavailable, match=r"public key .*public\.pem"):
        open_store().wrap("recovery", DATA_KEY, CONTEXT)


# ---------------------------------------------------------------- permissions


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("safe/private.pem", 0o640),
        ("passphrase", 0o644),
        ("safe", 0o770),
        ("public.pem", 0o646),
        (".", 0o777),
    ],
)
def test_what_others_may_touch_is_refused_with_the_remedy(
    new_store: OpenStore,
    open_store: OpenStore,
    tmp_path: Path,
    passphrase_file: Path,
    name: str,
    mode: int,
) -> None:
    wrapped = new_store(passphrase_file=passphrase_file).wrap("recovery", DATA_KEY, CONTEXT)
    (tmp_path / name).chmod(mode)
    with pytest.raises(InsecureConfig) as caught:
        open_store(passphrase_file=passphrase_file).unwrap(wrapped, CONTEXT)
    assert f"{mode:04o}" in str(caught.value)
    remedy = caught.value.hint.removeprefix("run: ").partition(" (")[0]
    subprocess.run(remedy, shell=True, check=True)
    store = open_store(passphrase_file=passphrase_file)
    assert store.unwrap(wrapped, CONTEXT) == DATA_KEY


@pytest.mark.parametrize("what", ["pipe", "folder", "dangling link", "loop"])
def test_a_public_key_that_is_no_file_is_refused(
    wrapped: Wrapped, open_store: OpenStore, public: Path, what: str
) -> None:
    public.unlink()
    if what == "pipe":
        os.mkfifo(public, 0o600)
    elif what == "folder":
        public.mkdir()
    else:
        public.symlink_to("nowhere" if what == "dangling link" else public)
    with pytest.raises((StoreDamaged, StoreUnavailable), match=r"public\.pem"):
        open_store().wrap("recovery", DATA_KEY, CONTEXT)


def test_an_unreadable_file_is_named(
    wrapped: Wrapped, open_store: OpenStore, public: Path, private: Path, is_root: bool
) -> None:
    if is_root:
        pytest.skip("permissions do not bind root")
    private.chmod(0)
    with pytest.raises(AccessDenied, match=r"private\.pem"):
        open_store().unwrap(wrapped, CONTEXT)
    public.chmod(0)
    with pytest.raises(AccessDenied, match=r"public\.pem"):
        open_store().wrap("recovery", DATA_KEY, CONTEXT)


@pytest.mark.parametrize("folder", ["safe", "etc"])
def test_no_key_is_made_where_others_may_write(
    open_store: OpenStore, tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder).chmod(0o777)
    with pytest.raises(InsecureConfig, match=folder):
        open_store(public_key=Path("etc/public.pem")).initialise()
    assert list(tmp_path.rglob("*.pem")) == []


def test_no_key_is_made_on_a_medium_that_keeps_no_modes(
    open_store: OpenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a FAT stick: the file is 0755 whatever was asked for. Refused now, not later."""
    from tegmen.files import PendingFile

    commit = PendingFile.commit

    def without_modes(self: PendingFile) -> None:
        os.fchmod(self.fd, 0o755)
        commit(self)

    monkeypatch.setattr(PendingFile, "commit", without_modes)
    with pytest.raises(InsecureConfig, match="0755") as caught:
        open_store().initialise()
    assert "umask=077" in caught.value.hint
    assert list(tmp_path.rglob("*.pem")) == []


# ---------------------------------------------------------------- disks


@pytest.fixture
def small_disk(tmp_path: Path, mount_small_disk: Callable[[Path], Path]) -> Path:
    """A file system of 64 KiB at the place of the safe."""
    return mount_small_disk(tmp_path / "safe")


@pytest.mark.parametrize("full", ["private_key", "public_key"])
def test_a_full_disk_makes_neither_half(
    small_disk: Path,
    open_store: OpenStore,
    tmp_path: Path,
    full: str,
    fill: Callable[[Path], Path],
) -> None:
    fill(small_disk)
    places = {"private_key": Path("elsewhere/private.pem"), "public_key": Path("public.pem")}
    with pytest.raises(OutputError) as caught:
        open_store(**{**places, full: Path("safe/full.pem")}).initialise()
    assert "space" in caught.value.hint
    assert list(tmp_path.rglob("*.pem")) == []
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_read_only_medium_opens(
    small_disk: Path, new_store: OpenStore, open_store: OpenStore
) -> None:
    wrapped = new_store().wrap("recovery", DATA_KEY, CONTEXT)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert open_store().unwrap(wrapped, CONTEXT) == DATA_KEY
    with pytest.raises(TegmenError):
        open_store(
            public_key=Path("safe/more/public.pem"), private_key=Path("two.pem")
        ).initialise()


def test_a_folder_that_cannot_be_made_is_named(open_store: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "safe").write_text("a file")
    with pytest.raises(TegmenError, match="safe"):
        open_store().initialise()
    assert not (tmp_path / "public.pem").exists()


# ---------------------------------------------------------------- secrets


def test_no_error_tells_a_secret(
    new_store: OpenStore,
    open_store: OpenStore,
    private: Path,
    passphrase: str,
    passphrase_file: Path,
) -> None:
    way = {"passphrase_file": passphrase_file}
    store = new_store(**way)
    wrapped = store.wrap("recovery", DATA_KEY, CONTEXT)
    store.unwrap(wrapped, CONTEXT)
    key = load_pem_private_key(private.read_bytes(), passphrase.encode())
    assert isinstance(key, X25519PrivateKey)
    plain = private_pem(key)
    said = [repr(store), str(store._private), repr(store._ask), str(store.__dict__)]
    body = base64.b64encode(base64.b64decode(b"".join(plain.split(b"\n")[1:-2]))).decode()
    for content in (plain[:-40], plain.replace(b"MC4C", b"MC5C"), b"-----BEGIN X-----" + plain):
        private.write_bytes(content)
        try:
            open_store(**way).unwrap(wrapped, CONTEXT)
        except TegmenError as error:
            said += told(error)
    private.write_bytes(plain)
    private.chmod(0o644)
    with pytest.raises(InsecureConfig) as caught:
        open_store().unwrap(wrapped, CONTEXT)
    said += told(caught.value)
    assert len(said) > 6
    for secret in (*spellings(key.private_bytes_raw()), body, passphrase):
        assert not any(secret in text for text in said)


def test_a_refusal_without_the_private_key_tells_nothing(
    wrapped: Wrapped, open_store: OpenStore
) -> None:
    with pytest.raises(CannotUnwrap) as caught:
        open_store(private_key=None).unwrap(wrapped, CONTEXT)
    text = "".join(told(caught.value))
    assert not any(secret in text for secret in spellings(DATA_KEY))
