"""The public API as a program that `mypy --strict` must accept; it is read, never run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import tegmen
from tegmen.interfaces import (
    AuditSink,
    Buffer,
    Carrier,
    Cipher,
    CipherInfo,
    Event,
    KeyStore,
    Lister,
    Offer,
    SegmentCipher,
    Source,
)


class Remembering:
    """An audit sink of the vendor's own."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def emit(self, event: Event, /) -> None:
        self.seen.append(f"{event.action} {event.phase} {event.object_id}")


def seal_and_open(folder: Path) -> str:
    sink: AuditSink = Remembering()
    sealer: tegmen.Sealer = tegmen.Sealer.from_file(folder / "tegmen.toml", audit=[sink])
    receipt: tegmen.Receipt = sealer.seal("ct.dcm", folder / "sealed.dcm", force=True)
    sealer.seal(b"bytes", io.BytesIO(), "profile", {"trust": "north"}, {"purpose": "research"})
    target = bytearray(sealer.sealed_size(b"bytes"))
    sealer.seal(memoryview(b"bytes"), target, name="report.txt")
    with (folder / "sealed.dcm").open("rb") as file:
        opened: tegmen.Receipt = sealer.open(file, folder / "opened.dcm")
    part: bytes = sealer.open_part(target, 0)
    verified: bool = sealer.verify(target).verified
    slots: tuple[str, ...] = sealer.inspect(target).slots
    return f"{receipt.object_id} {opened.keys} {part!r} {verified} {slots}"


def explain(sealer: tegmen.Sealer) -> str:
    decision: tegmen.Decision = sealer.explain({"Modality": "CT"}, source="ct.dcm")
    return f"{decision.profile.name} {decision.rule}"


def read_frames(sealer: tegmen.Sealer) -> list[bytes]:
    with sealer.opened("sealed.dcm", {"trust": "north"}) as opened:
        return [opened.read(index) for index in range(len(opened.lengths))]


def handled(sealer: tegmen.Sealer) -> int:
    try:
        sealer.verify("sealed.dcm")
    except (tegmen.WrongKey, tegmen.IntegrityError) as error:
        return error.exit_code
    except tegmen.TegmenError as error:
        raise SystemExit(f"{error}: {error.hint}") from error
    return 0


def plugins(registry: tegmen.Registry) -> tuple[CipherInfo, Source, Carrier]:
    cipher: Cipher = registry.cipher("aes-256-gcm")
    return cipher.info, registry.source("file"), registry.carrier("tgm")


def list_keys(store: KeyStore) -> Sequence[str]:
    return [key.key_id for key in store.list_keys()] if isinstance(store, Lister) else []


class Segments:
    """A vendor's cipher under one key."""

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        return len(buf)

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        return len(buf)


class VendorCipher:
    """A vendor's cipher."""

    @property
    def info(self) -> CipherInfo:
        return CipherInfo("vendor", "research", key_size=32, nonce_size=12, tag_size=0)

    def ciphertext_length(self, length: int, /) -> int:
        return length

    def start(self, key: bytes, /) -> SegmentCipher:
        return Segments()


@tegmen.hookimpl
def tegmen_ciphers() -> Sequence[Offer[Cipher]]:
    return [Offer("vendor", lambda options, folder: VendorCipher())]
