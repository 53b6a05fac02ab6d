"""Programs that encrypt files, tegmen and its peers, each used as its documentation advises."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import frozen
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

from benchmarks.bench import NotMeasured
from tegmen import MemorySink, Sealer

CONTEXT = b"tegmen benchmark"
CHUNK = 256 << 10
"""Bytes that the peers are given at once: the fastest for both of 64 KiB to 4 MiB."""

NAMES: Final = {
    "tegmen": "tegmen",
    "cobblestone": "Cobblestone-256",
    "tink": "Tink streaming AEAD",
    "pydicom": "pydicom, read and write",
}
"""What the table calls them."""


class FileProgram(Protocol):
    """Something that encrypts files."""

    def seal(self, source: Path, target: Path) -> object:
        """Encrypt `source` into the new file `target`, durably."""

    def open(self, source: Path, target: Path) -> object:
        """Decrypt what `seal` wrote, as durably."""


@frozen
class Tegmen:
    """tegmen, as any program embeds it."""

    sealer: Sealer

    def seal(self, source: Path, target: Path) -> object:
        return self.sealer.seal(source, target)

    def open(self, source: Path, target: Path) -> object:
        return self.sealer.open(source, target)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[int]:
    """A descriptor of what becomes `target`: synced, then renamed, then its folder synced."""
    temporary = target.with_name(f".{target.name}.part")
    fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        yield fd
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(temporary, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@frozen
class Cobblestone:
    """Cobblestone-256 of `cryptography`: AES-256-GCM in chunks of 16 KiB."""

    key: bytes

    def seal(self, source: Path, target: Path) -> None:
        self._run(Cobblestone256Encryptor(self.key, CONTEXT), source, target)

    def open(self, source: Path, target: Path) -> None:
        self._run(Cobblestone256Decryptor(self.key, CONTEXT), source, target)

    def _run(
        self,
        cipher: Cobblestone256Encryptor | Cobblestone256Decryptor,
        source: Path,
        target: Path,
    ) -> None:
        given = memoryview(bytearray(CHUNK))
        taken = memoryview(bytearray(CHUNK + (CHUNK >> 6) + (1 << 16)))
        with open(source, "rb", buffering=0) as file, replacing(target) as fd:
            while count := file.readinto(given):
                os.write(fd, taken[: cipher.update_into(given[:count], taken)])
            os.write(fd, cipher.finalize())


@frozen
class Tink:
    """Tink's streaming AEAD with the template AES256_GCM_HKDF_1MB."""

    primitive: Any

    def seal(self, source: Path, target: Path) -> None:
        with open(source, "rb", buffering=0) as file, replacing(target) as fd:
            out = io.FileIO(fd, "wb", closefd=False)
            with self.primitive.new_encrypting_stream(out, CONTEXT) as stream:
                while data := file.read(CHUNK):
                    stream.write(data)

    def open(self, source: Path, target: Path) -> None:
        file = open(source, "rb", buffering=0)  # noqa: SIM115  # the stream closes it
        with (
            self.primitive.new_decrypting_stream(file, CONTEXT) as stream,
            replacing(target) as fd,
        ):
            while data := stream.read(CHUNK):
                os.write(fd, data)


class Pydicom:
    """Encrypts nothing: the least that a program does to a DICOM file, parse and write it."""

    def seal(self, source: Path, target: Path) -> None:
        import pydicom

        ds = pydicom.dcmread(source)
        with replacing(target) as fd, open(fd, "wb", closefd=False) as file:
            ds.save_as(file)

    open = seal


def program(name: str, config: str) -> FileProgram:
    """A program by its key in `NAMES`; `config` is tegmen's. Raises NotMeasured."""
    if name == "tegmen":
        return Tegmen(Sealer.from_file(config, audit=[MemorySink()]))
    if name == "cobblestone":
        return Cobblestone(Cobblestone256Encryptor.generate_key())
    return Pydicom() if name == "pydicom" else _tink()


def _tink() -> Tink:
    tink, streaming = tink_module("tink"), tink_module("tink.streaming_aead")
    streaming.register()
    template = streaming.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
    return Tink(tink.new_keyset_handle(template).primitive(streaming.StreamingAead))


def tink_module(name: str) -> Any:
    """A module of Tink. Raises NotMeasured when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise NotMeasured("Tink is not installed (the extra tegmen[bench])") from None


def peers() -> list[str]:
    """The peers that encrypt files, as far as they are installed."""
    tink = ["tink"] if importlib.util.find_spec("tink") else []
    return ["cobblestone", *tink]
