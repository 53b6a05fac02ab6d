"""What happens in the demo: seal, restore, lose the keys, attack; nothing is said here."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from attrs import frozen

from tegmen.cli.demo.samples import Sample
from tegmen.errors import (
    ContextMismatch,
    ContextMissing,
    FormatError,
    SegmentAltered,
    TegmenError,
    WrongKey,
)
from tegmen.files import MemoryReader
from tegmen.receipts import Receipt
from tegmen.sealer import Sealer

T = TypeVar("T")

ANSWERS: Final[Mapping[type[TegmenError], str]] = {
    SegmentAltered: "what is inside was altered",
    FormatError: "the file is damaged or cut",
    WrongKey: "these are not the keys",
    ContextMissing: "it is bound to a case number",
    ContextMismatch: "it is bound to another case number",
}


@frozen
class Sealed:
    """A sample after sealing."""

    sample: Sample
    path: str
    receipt: Receipt
    seconds: float


@frozen
class Restored:
    """A sealed sample opened again.

    Attributes:
        sha256: of the original file, hexadecimal.
        identical: whether the restored file has the same.
        key: that opened it.
    """

    name: str
    sha256: str
    identical: bool
    key: str
    seconds: float


@frozen
class Refusal:
    """Something that was tried and must not work.

    Attributes:
        tried: in words.
        error: what tegmen raised; None if it did not.
    """

    tried: str
    error: TegmenError | None
    seconds: float

    @property
    def answer(self) -> str:
        """What tegmen said, in a few words."""
        if self.error is None:
            return "NOT REFUSED"
        return ANSWERS.get(type(self.error), str(self.error))

    @property
    def exit_code(self) -> int:
        return 0 if self.error is None else self.error.exit_code


def timed(action: Callable[[], T]) -> tuple[T, float]:
    """What `action` returns, and how many seconds it took."""
    started = time.perf_counter()
    result = action()
    return result, time.perf_counter() - started


def seal(sealer: Sealer, samples: Sequence[Sample], folder: str) -> list[Sealed]:
    """Seal every sample into `folder`."""
    return [_seal(sealer, sample, folder) for sample in samples]


def _seal(sealer: Sealer, sample: Sample, folder: str) -> Sealed:
    paths: list[str] = []

    def target(name: str) -> str:
        paths.append(os.path.join(folder, name))
        return paths[0]

    receipt, seconds = timed(
        lambda: sealer.seal(sample.path, target, context=sample.context, attributes=sample.declared)
    )
    return Sealed(sample, paths[0], receipt, seconds)


def restore(sealer: Sealer, sealed: Sealed, folder: str, prefix: str = "") -> Restored:
    """Open one object into `folder`, and compare it with its original."""
    path = os.path.join(folder, prefix + sealed.sample.name)
    receipt, seconds = timed(lambda: sealer.open(sealed.path, path, sealed.sample.context))
    before, after = sha256(sealed.sample.path), sha256(path)
    return Restored(sealed.sample.name, before, before == after, receipt.keys[0], seconds)


def sha256(path: str) -> str:
    """Of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def away(folder: str) -> Iterator[None]:
    """The folder is gone for as long as the block runs."""
    elsewhere = f"{folder}.away"
    os.rename(folder, elsewhere)
    try:
        yield
    finally:
        os.rename(elsewhere, folder)


def attacks(ours: Sealer, theirs: Sealer, sealed: Sequence[Sealed]) -> list[Refusal]:
    """Everything that must be refused."""
    first, last = sealed[0], sealed[-1]
    tried = [
        _refused(f"{first.sample.name} with one bit flipped", ours, _flipped(ours, first), first),
        _refused(f"{first.sample.name} with another hospital's keys", theirs, first.path, first),
        _refused(f"{first.sample.name} without its last byte", ours, _content(first)[:-1], first),
    ]
    if last.sample.context:
        name = last.sample.name
        wrong = dict.fromkeys(last.sample.context, "2024-118")
        tried += [
            _refused(f"{name} without its case number", ours, last.path, last, {}),
            _refused(f"{name} with another case number", ours, last.path, last, wrong),
        ]
    return tried


def _refused(
    tried: str,
    sealer: Sealer,
    content: str | bytes,
    sealed: Sealed,
    context: Mapping[str, str] | None = None,
) -> Refusal:
    context = sealed.sample.context if context is None else context

    def attempt() -> TegmenError | None:
        try:
            sealer.verify(content, context)
        except TegmenError as error:
            return error
        return None

    return Refusal(tried, *timed(attempt))


def _flipped(sealer: Sealer, sealed: Sealed) -> bytes:
    """The sealed file with one bit of its encrypted content flipped."""
    content = bytearray(_content(sealed))
    stream = sealer.registry.carrier(sealed.receipt.carrier).unpack(MemoryReader(content))
    inside = bytes(stream.view(stream.size - 64, 32))
    content[content.index(inside)] ^= 1
    return bytes(content)


def _content(sealed: Sealed) -> bytes:
    with open(sealed.path, "rb") as file:
        return file.read()
