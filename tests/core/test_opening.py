"""What a made-up header may not do to its reader: take memory, or time, that it did not send."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from tegmen import Sealer, envelope, keys, manifest, opening
from tegmen.body import Layout, Suite
from tegmen.errors import FormatError
from tegmen.files import GrowingSink, MemoryReader
from tegmen.interfaces import CipherInfo, Item, Part, Plan
from tegmen.sealing import seal
from tegmen.testing.hostile_ciphers import HostileCipher

MIB = 1 << 20


class Zeros:
    """A reader of zeros that takes no memory."""

    def __init__(self, size: int) -> None:
        self.size = size

    def view(self, offset: int, length: int, /) -> memoryview:
        return memoryview(bytes(length))


def head_of(sealer: Sealer, part: Part, count: int, segment_size: int) -> bytes:
    """What stands before the body of an object with that many equal parts."""
    setup = sealer._kit.setups["trusting"]
    setup = evolve(setup, profile=evolve(setup.profile, segment_size=segment_size))
    item = Item("file", "x", "", {}, [part] * count)
    sink = GrowingSink()
    seal(setup, item, Plan(), {}, blank=True).stream.put_head(sink)
    return bytes(sink.data)


@contextmanager
def at_most(memory: int, seconds: float) -> Iterator[None]:
    begin = time.monotonic()
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()
    assert time.monotonic() - begin < seconds


def test_a_stream_cipher_does_not_take_a_part_as_one_segment(
    sealer: Sealer, tmp_path: Path
) -> None:
    """Else a sparse file of a few blocks would be decrypted in memory as one segment."""
    size = 6 << 30
    head = head_of(sealer, Part("data", size, Zeros(size)), 1, 0)
    sparse = tmp_path / "sparse.tgm"
    with sparse.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size + 16)
    with at_most(8 * MIB, 5), pytest.raises(FormatError, match="segment size of 0 with cipher"):
        sealer.verify(sparse)


class Whole(HostileCipher):
    """Takes whole parts of 4 KiB."""

    info = CipherInfo("whole", "standard", 32, 12, 16, segmenting="whole-part", max_part=4096)


@pytest.mark.parametrize(
    ("segment_size", "length", "refused"),
    [(0, 4096, ""), (0, 4097, "takes 4096"), (4096, 4096, "takes whole parts")],
)
def test_a_whole_part_is_no_longer_than_the_cipher_says(
    segment_size: int, length: int, refused: str
) -> None:
    core = envelope.Core(
        suite=("whole",),
        manifest_cipher="aes-256-gcm",
        mac=None,
        source="file",
        carrier="tgm",
        segment_size=segment_size,
        tag_placement="inline",
        geometry=((3, 100), (1, length)),
        salt=bytes(32),
        object_key_id=bytes(16),
        public=(),
        required=(),
        profile="p",
        policy_digest=bytes(32),
        manifest_size=272,
    )
    if not refused:
        opening._check_segmenting(core, Suite(Whole()))
        return
    with pytest.raises(FormatError, match=refused):
        opening._check_segmenting(core, Suite(Whole()))


def test_the_number_of_parts_costs_no_memory(
    sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a billion empty parts, of which a few hundred bytes of header tell."""
    count = 500_000_000
    runs = manifest.runs

    def many(values: list[int | str]) -> list[list[int | str]]:
        return [[count, value] for _, value in runs(values)]

    monkeypatch.setattr(manifest, "runs", many)
    head = head_of(sealer, Part("data", 0, Zeros(0)), 1, 4096)
    monkeypatch.undo()
    setup = sealer._kit.setups["trusting"]
    layout = Layout(setup.suite, [(count, 0)], 4096, "inline")

    class Sparse(Zeros):
        def view(self, offset: int, length: int, /) -> memoryview:
            return memoryview(head[offset : offset + length].ljust(length, b"\0"))

    stream = Sparse(len(head) + layout.body_size)
    with at_most(MIB, 5):
        header = opening.read_header(stream)
        schedule, _ = opening.unwrap(header, sealer._kit.store_for)
        bound = keys.NO_CONTEXT
        opened = opening.Opened(stream, header, schedule, bound, "tgm", sealer._kit.suites)
        assert len(opened.parts.lengths) == count
        assert not opened.parts.all_opened()


def test_a_manifest_is_of_a_size_that_can_be_decoded(sealer: Sealer) -> None:
    head = head_of(sealer, Part("data", 0, Zeros(0)), 1, 4096)
    core = envelope.read_core(MemoryReader(head))[0]
    for size, refused in ((envelope.MAX_MANIFEST, False), (envelope.MAX_MANIFEST + 1, True)):
        raw = envelope.encode_core(core._replace(manifest_size=size))
        if refused:
            with pytest.raises(FormatError, match="manifest of more than 4194304 bytes"):
                envelope.read_core(MemoryReader(raw))
        else:
            envelope.read_core(MemoryReader(raw))


@pytest.mark.parametrize(("array", "elements"), [(b"\x80", 1), (b"\x81\x00", 2), (b"\x82\0\0", 3)])
def test_the_largest_manifest_of_small_arrays_takes_little(array: bytes, elements: int) -> None:
    count = (envelope.MAX_MANIFEST - 600) // elements
    body = b"\x83\x9a" + count.to_bytes(4, "big") + array * count + b"\x80\x40"
    raw = (len(body).to_bytes(4, "big") + body).ljust(envelope.MAX_MANIFEST - 256, b"\0")
    with at_most(192 * MIB, 20), pytest.raises(FormatError, match="items, 1 expected"):
        manifest.decode(raw, [(1, 0)])
