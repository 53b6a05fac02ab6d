"""The main job through the public API: back bit for bit, or a typed error and nothing else."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings, strategies as st

from tegmen import Allowed, Sealer, envelope, files
from tegmen.errors import (
    CannotUnwrap,
    ContextMismatch,
    ContextMissing,
    FormatError,
    InputError,
    IntegrityError,
    KeyStoreError,
    NotSealed,
    OutputExists,
    PluginBroken,
    PolicyRefused,
    SegmentAltered,
    StoreUnavailable,
    TegmenError,
    WrongKey,
)
from tegmen.interfaces import KeyStore
from tegmen.profile import Config, Plugins
from tegmen.testing.hostile_ciphers import HostileCipher
from tegmen.testing.hostile_containers import ShortSource
from tegmen.testing.hostile_keystores import (
    CorruptingKeyStore,
    FailingKeyStore,
    MemoryKeyStore,
    SwappedKeyStore,
)

MakeSealer = Callable[..., Sealer]
BOUND = {"trust": "north"}


def seal(sealer: Sealer, data: bytes, **kwargs: Any) -> bytes:
    target = io.BytesIO()
    sealer.seal(data, target, **kwargs)
    return target.getvalue()


def unseal(sealer: Sealer, sealed: bytes, **kwargs: Any) -> bytes:
    target = io.BytesIO()
    sealer.open(sealed, target, **kwargs)
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 8192, 100_000])
@pytest.mark.parametrize("profile", ["plain", "trusting"])
def test_back_bit_for_bit(sealer: Sealer, size: int, profile: str) -> None:
    data = os.urandom(size)
    sealed = seal(sealer, data, profile=profile)
    assert unseal(sealer, sealed) == data
    assert sealer.sealed_size(data, profile=profile) == len(sealed)


def test_paths_bytes_files_and_buffers_are_all_sources_and_targets(
    sealer: Sealer, tmp_path: Path
) -> None:
    data = os.urandom(10_000)
    (tmp_path / "scan.bin").write_bytes(data)
    receipt = sealer.seal(tmp_path / "scan.bin", tmp_path / "scan.tgm")
    assert (receipt.name, receipt.size, receipt.parts) == ("scan.bin", 10_000, 1)
    assert receipt.sealed_size == (tmp_path / "scan.tgm").stat().st_size
    opened = bytearray(10_000)
    sealer.open(tmp_path / "scan.tgm", opened)
    assert opened == data
    buffer = bytearray(sealer.sealed_size(data))
    sealer.seal(memoryview(data), memoryview(buffer))
    with (tmp_path / "copy").open("wb") as file:
        sealer.open(io.BytesIO(buffer), file)
    assert (tmp_path / "copy").read_bytes() == data
    with (tmp_path / "scan.bin").open("rb") as file:
        assert unseal(sealer, seal(sealer, file)) == data  # type: ignore[arg-type]


def test_two_seals_of_one_image_share_nothing(sealer: Sealer) -> None:
    data = bytes(50_000)
    first, second = seal(sealer, data), seal(sealer, data)
    assert sum(a == b for a, b in zip(first[-40_000:], second[-40_000:], strict=True)) < 400


def test_the_content_and_the_name_are_nowhere_in_clear(sealer: Sealer) -> None:
    sealed = seal(sealer, b"Doe^Jane" * 1000, name="Doe_Jane.bin")
    assert b"Doe" not in sealed
    with sealer.opened(sealed) as opened:
        assert opened.name == "Doe_Jane.bin"
        assert list(opened.lengths) == [8000]


def test_every_flipped_bit_is_refused_or_harmless(sealer: Sealer) -> None:
    """Only the slot zones are redundant: there, a flip may open to the identical original."""
    data = b"an image " * 20
    sealed = seal(sealer, data, profile="trusting")
    opened = 0
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1 << position % 8
        try:
            assert unseal(sealer, bytes(damaged)) == data
            opened += 1
        except (IntegrityError, KeyStoreError, NotSealed, InputError):
            pass
    assert 0 < opened < len(sealed) - 600


def test_a_damaged_zone_is_reported(sealer: Sealer) -> None:
    data = b"image"
    sealed = bytearray(seal(sealer, data, profile="trusting"))
    sealed[len(sealed) - 800] ^= 1  # in zone B
    with sealer.opened(bytes(sealed)) as opened:
        assert opened.verify().warnings == (
            "one of the two slot zones is damaged; the other one opened",
        )


def test_every_truncation_is_refused(sealer: Sealer) -> None:
    sealed = seal(sealer, b"an image " * 600)
    for length in range(0, len(sealed), 7):
        with pytest.raises((IntegrityError, NotSealed, InputError)):
            unseal(sealer, sealed[:length])
    with pytest.raises(FormatError, match="followed by more"):
        unseal(sealer, sealed + b"\0")


def test_segments_do_not_move(sealer: Sealer) -> None:
    data = os.urandom(3 * 4096)
    sealed = bytearray(seal(sealer, data))
    size = 4096 + 16
    body = len(sealed) - 3 * size
    one, two = sealed[body : body + size], sealed[body + size : body + 2 * size]
    swapped = sealed[:body] + two + one + sealed[body + 2 * size :]
    with pytest.raises(SegmentAltered, match="segment 0 of part 1"):
        unseal(sealer, bytes(swapped))
    other = seal(sealer, data)
    mixed = sealed[:body] + other[body : body + size] + sealed[body + size :]
    with pytest.raises(SegmentAltered):
        unseal(sealer, bytes(mixed))


def test_nothing_is_written_when_the_last_segment_is_damaged(
    sealer: Sealer, tmp_path: Path
) -> None:
    sealed = bytearray(seal(sealer, os.urandom(20_000)))
    sealed[-1] ^= 1
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(SegmentAltered):
        sealer.open(bytes(sealed), folder / "image")
    assert list(folder.iterdir()) == []
    buffer = bytearray(b"\xff" * 20_000)
    with pytest.raises(SegmentAltered):
        sealer.open(bytes(sealed), buffer)
    assert buffer == bytes(20_000)


def test_context_is_asked_for_and_checked(sealer: Sealer) -> None:
    data = b"image"
    with pytest.raises(ContextMissing, match="trust"):
        seal(sealer, data, profile="bound")
    sealed = seal(sealer, data, attributes={"purpose": "teleradiology"}, context=BOUND)
    assert b"site" in sealed
    assert unseal(sealer, sealed, context=BOUND) == data
    with pytest.raises(ContextMissing, match="trust"):
        unseal(sealer, sealed)
    with pytest.raises(ContextMismatch, match="trust"):
        unseal(sealer, sealed, context={"trust": "south"})
    with pytest.raises(ContextMismatch, match="ward"):
        unseal(sealer, sealed, context={"trust": "north", "ward": "7"})
    assert "north" not in repr(sealer.inspect(sealed).required)


def test_one_part_alone(sealer: Sealer) -> None:
    data = os.urandom(9000)
    sealed = seal(sealer, data)
    assert sealer.open_part(sealed, 0) == data
    for index in (1, -1, 99):
        with pytest.raises(InputError, match="part"):
            sealer.open_part(sealed, index)


def test_inspect_needs_no_key_and_says_what_is_there(sealer: Sealer, stores: Any) -> None:
    sealed = seal(sealer, bytes(5000))
    stores.clear()
    inspection = sealer.inspect(sealed)
    assert (inspection.cipher, inspection.carrier, inspection.source) == (
        "aes-256-gcm",
        "tgm",
        "file",
    )
    assert (inspection.parts, inspection.stored, inspection.zones) == (1, 5000, 2)
    assert inspection.slots == (
        "local/images@1 (AES-256-GCM)",
        "recovery/recovery@1 (AES-256-GCM)",
    )


def test_any_recipient_opens(make_sealer: MakeSealer, stores: dict[str, KeyStore]) -> None:
    sealed = seal(make_sealer(), b"image")
    stores["local"] = FailingKeyStore(stores["local"], 0)
    assert unseal(make_sealer(), sealed) == b"image"


def test_a_key_of_the_same_name_is_told_from_the_right_one(
    make_sealer: MakeSealer, stores: dict[str, KeyStore]
) -> None:
    sealed = seal(make_sealer(), b"image", profile="trusting")
    stores["local"] = MemoryKeyStore("images")
    with pytest.raises(WrongKey, match="another key"):
        unseal(make_sealer(), sealed)


@pytest.mark.parametrize("hostile", [CorruptingKeyStore, SwappedKeyStore])
def test_a_store_that_gives_another_data_key_is_caught_by_the_commitment(
    make_sealer: MakeSealer, stores: dict[str, KeyStore], hostile: Any
) -> None:
    sealed = seal(make_sealer(), b"image", profile="trusting")
    stores["local"] = hostile(stores["local"], *(["images"] * (hostile is SwappedKeyStore)))
    with pytest.raises(WrongKey):
        unseal(make_sealer(), sealed)


def test_a_store_that_fails_half_way_seals_nothing(
    make_sealer: MakeSealer, stores: dict[str, KeyStore], tmp_path: Path
) -> None:
    stores["recovery"] = FailingKeyStore(stores["recovery"], 0)
    (tmp_path / "out").mkdir()
    with pytest.raises(StoreUnavailable):
        make_sealer().seal(b"image", tmp_path / "out" / "sealed")
    assert list((tmp_path / "out").iterdir()) == []


def test_slots_of_strangers_are_never_sent_to_a_store(
    make_sealer: MakeSealer, stores: dict[str, KeyStore]
) -> None:
    class Watched(MemoryKeyStore):
        asked = 0

        def unwrap(self, wrapped: Any, context: bytes) -> bytes:
            self.asked += 1
            return super().unwrap(wrapped, context)

    stores["local"] = watched = Watched("images", "other")
    sealed = seal(make_sealer(), b"image", profile="trusting")
    reader = make_sealer({"local/images": "local/other"})
    with pytest.raises(CannotUnwrap, match="local/images"):
        unseal(reader, sealed)
    assert watched.asked == 0


def replace_cipher(sealer: Sealer, cipher: HostileCipher, patch: pytest.MonkeyPatch) -> None:
    """Make the sealer find `cipher` under its name."""
    honest = sealer.registry.cipher
    patch.setattr(
        sealer.registry,
        "cipher",
        lambda name, *rest: cipher if name == cipher.info.name else honest(name, *rest),
    )


def test_a_cipher_that_miscounts_seals_nothing(
    make_sealer: MakeSealer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Miscounting(HostileCipher):
        info = evolve(HostileCipher.info, name="chacha20-poly1305", tier="standard")

        def encrypt(self, honest: Any, call: Any) -> int:
            return super().encrypt(honest, call) - 1

    sealer = make_sealer()
    replace_cipher(sealer, Miscounting(), monkeypatch)
    with pytest.raises(PluginBroken, match="declared"):
        sealer.seal(b"image", tmp_path / "sealed", profile="bound", context=BOUND)
    assert list(tmp_path.iterdir()) == []


def test_a_cipher_that_decrypts_to_something_else_is_caught_before_it_counts(
    make_sealer: MakeSealer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is sealed is opened and compared: a wrong image is worse than none."""

    class Forgetful(HostileCipher):
        info = evolve(HostileCipher.info, name="chacha20-poly1305", tier="standard")

        def decrypt(self, honest: Any, call: Any) -> int:
            count = super().decrypt(honest, call)
            call.buf[0] ^= 1
            return count

    sealer = make_sealer()
    replace_cipher(sealer, Forgetful(), monkeypatch)
    with pytest.raises(IntegrityError, match="does not open to the same bytes"):
        sealer.seal(b"image", tmp_path / "sealed", profile="bound", context=BOUND)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_gives_fewer_bytes_than_it_said_seals_nothing(
    make_sealer: MakeSealer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sealer = make_sealer()
    short = ShortSource(sealer.registry.source("file"))
    monkeypatch.setattr(sealer.registry, "source", lambda kind: short)
    with pytest.raises(TegmenError):
        sealer.seal(os.urandom(5000), tmp_path / "sealed", profile="trusting")
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_not_overwritten_unless_forced(sealer: Sealer, tmp_path: Path) -> None:
    target = tmp_path / "sealed"
    target.write_bytes(b"precious")
    with pytest.raises(OutputExists):
        sealer.seal(b"image", target)
    assert target.read_bytes() == b"precious"
    sealer.seal(b"image", target, force=True)
    assert unseal(sealer, target.read_bytes()) == b"image"


def test_the_source_is_never_touched(sealer: Sealer, tmp_path: Path) -> None:
    source = tmp_path / "scan"
    source.write_bytes(b"image")
    source.chmod(0o400)
    before = source.stat()
    sealer.seal(source, tmp_path / "sealed")
    after = source.stat()
    assert source.read_bytes() == b"image"
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_the_policy_decides_what_may_open(make_sealer: MakeSealer) -> None:
    sealed = seal(make_sealer(), b"image", profile="bound", context=BOUND)
    strict = make_sealer({"[profiles.plain]": '[policy]\nopen = ["aes-256-gcm"]\n[profiles.plain]'})
    with pytest.raises(PolicyRefused, match="chacha20-poly1305"):
        unseal(strict, sealed, context=BOUND)


def test_threads_share_a_sealer(sealer: Sealer) -> None:
    images = [os.urandom(20_000 + n) for n in range(16)]
    problems: list[BaseException] = []

    def work(image: bytes) -> None:
        try:
            for _ in range(10):
                assert unseal(sealer, seal(sealer, image)) == image
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


@contextlib.contextmanager
def often_switching() -> Iterator[None]:
    """Threads take turns so often that what is not locked goes wrong soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_share_an_open_object(sealer: Sealer, tmp_path: Path) -> None:
    """One file and one buffer are behind all parts of it."""
    data = os.urandom(300_000)
    (tmp_path / "sealed").write_bytes(seal(sealer, data))
    problems: list[BaseException] = []
    with sealer.opened(tmp_path / "sealed") as opened, often_switching():

        def work() -> None:
            try:
                for _ in range(10):
                    assert opened.read(0) == data
                    assert opened.verify().verified
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert problems == []


@pytest.mark.parametrize("name", ["a/b", "..", "x" * 256, "line\nbreak", "\udcff"])
def test_what_could_not_be_restored_under_its_name_is_not_sealed(
    sealer: Sealer, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="name of the original") as caught:
        sealer.seal(b"image", tmp_path / "sealed", name=name)
    assert "--name" in caught.value.hint
    assert name not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_path_whose_name_cannot_be_restored_needs_another(sealer: Sealer, tmp_path: Path) -> None:
    odd = tmp_path / "a\nb"
    odd.write_bytes(b"image")
    with pytest.raises(InputError, match="name of the original"):
        sealer.seal(odd, io.BytesIO())
    assert sealer.seal(odd, io.BytesIO(), name="ab").name == "ab"


def test_a_sealer_is_rebuilt_not_pickled(sealer: Sealer) -> None:
    with pytest.raises(TypeError, match="from_file"):
        pickle.dumps(sealer)


CARRIERS = """
from tegmen.hooks import hookimpl

@hookimpl
def tegmen_carriers():
    return []
"""


@pytest.mark.parametrize(
    ("allow", "profiles", "imported"),
    [
        (None, True, False),
        (("tegmen_image",), True, False),
        (("tegmen_image", "stranger"), True, True),
        (None, False, True),
        (("tegmen_image",), False, False),
    ],
)
def test_no_plugin_is_imported_for_an_unknown_file_unless_it_is_named(
    sealer: Sealer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    allow: tuple[str, ...] | None,
    profiles: bool,
    imported: bool,
) -> None:
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tegmen.carriers]\nstranger = stranger\n")
    (tmp_path / "stranger.py").write_text(CARRIERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    plugins = Plugins(None if allow is None else tuple(map(Allowed, allow)))
    config = evolve(sealer.config, plugins=plugins)
    if not profiles:
        config = Config(version=1, rules=(), plugins=plugins)
    with pytest.raises(NotSealed):
        Sealer(config).inspect(b"just some file of forty bytes ..........")
    assert ("stranger" in sys.modules) is imported


def test_explain_names_the_rule(sealer: Sealer) -> None:
    assert sealer.explain({"purpose": "teleradiology"}).rule == "bound-by-declaration"
    decision = sealer.explain({"purpose": "care"}, source=b"image")
    assert (decision.rule, decision.profile.name) == ("everything-else", "plain")
    assert [step.matched for step in decision.steps] == [False, True]


@given(st.binary(max_size=3000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_foreign_bytes_give_typed_errors(sealer: Sealer, data: bytes) -> None:
    with pytest.raises((NotSealed, FormatError)):
        sealer.inspect(data)
    with pytest.raises(TegmenError):
        unseal(sealer, envelope.MAGIC + data)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damage_anywhere_never_gives_other_bytes(sealer: Sealer, data: st.DataObject) -> None:
    image = b"0123456789abcdef" * 700
    sealed = bytearray(seal(sealer, image, profile="trusting"))
    for _ in range(data.draw(st.integers(1, 5))):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] = data.draw(st.integers(0, 255))
    sealed = sealed[: data.draw(st.integers(len(sealed) - 3, len(sealed)))]
    with contextlib.suppress(TegmenError):
        assert unseal(sealer, bytes(sealed)) == image


def test_a_stream_that_cannot_go_back_gets_the_same_object(sealer: Sealer) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    image = os.urandom(30_000)
    sealer.seal(image, pipe)  # type: ignore[arg-type]
    assert unseal(sealer, pipe.data) == image
    assert isinstance(files.MemoryReader(pipe.data), files.Reader)
