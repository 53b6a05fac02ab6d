"""Stand-ins for what the core hands to a source or a carrier: readers, parts, sealed streams."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tegmen import envelope, manifest
from tegmen.body import BlankWriter, Layout, Suite
from tegmen.files import GrowingSink, MemoryReader
from tegmen.interfaces import Buffer, Carrier, Item, Plan, Sink, Wrapped
from tegmen.sealing import Stream
from tegmen.testing.hostile_ciphers import HostileCipher

SEGMENT = 1 << 16
TAG_SIZE = 16
DEAD = 0xDD


def noise(length: int, seed: int | str = 0) -> bytes:
    """Bytes without a pattern, the same on every run."""
    return random.Random(seed).randbytes(length)  # noqa: S311  # nothing is secret here


class FleetingReader:
    """A reader in memory whose views are overwritten by the next call, as those of a file are.

    Attributes:
        size: how many bytes there are.
        viewed: how many bytes were asked for so far.
    """

    def __init__(self, data: Buffer) -> None:
        self._whole = MemoryReader(data)
        self._last = bytearray()
        self.size = self._whole.size
        self.viewed = 0

    def view(self, offset: int, length: int, /) -> memoryview:
        self._last[:] = bytes([DEAD]) * len(self._last)
        self._last = bytearray(self._whole.view(offset, length))
        self.viewed += length
        return memoryview(self._last)


class FrontToBackSink(GrowingSink):
    """A sink in memory that cannot go back, as a pipe cannot."""

    @property
    def patchable(self) -> bool:
        return False

    def patch(self, offset: int, data: Buffer) -> None:
        raise AssertionError(f"{len(data)} bytes were to be patched at {offset} in a pipe")


class FakeOpenedParts:
    """Decrypted parts that were never encrypted (tegmen.interfaces.OpenedParts).

    Attributes:
        lengths: bytes of each part.
        opened: index of every part that was asked for.
    """

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts
        self.lengths = [len(part) for part in parts]
        self.opened: set[int] = set()

    def copy(self, index: int, sink: Sink, /) -> None:
        part = self.read(index)
        for start in range(0, max(1, len(part)), SEGMENT):
            segment = part[start : start + SEGMENT]
            sink.room(len(segment))[: len(segment)] = segment
            sink.advance(len(segment))

    def read(self, index: int, /) -> bytes:
        self.opened.add(index)
        return self._parts[index]


class FakeSealedStream(Stream):
    """A sealed stream of the right form and lengths, with noise for all that is encrypted.

    It can be read up to its slots, and opened by nobody.

    Attributes:
        data: the stream, as the carrier has to give it back.
    """

    def __init__(self, item: Item, plan: Plan, carrier: Carrier) -> None:
        lengths = manifest.stored_lengths(item.parts, plan.stored_lengths)
        geometry = tuple((int(count), int(size)) for count, size in manifest.runs(lengths))
        placement = carrier.tag_placement
        layout = Layout(Suite(HostileCipher()), geometry, SEGMENT, placement)
        head = _head(item, carrier, geometry)
        table, body = noise(layout.table_size, "table"), noise(layout.body_size, "body")
        super().__init__(head, layout, _NoiseWriter(layout, table, body))
        self.data = head + table + body


class _NoiseWriter(BlankWriter):
    """Writes noise as BodyWriter writes ciphertext: asking for room that it does not fill."""

    def __init__(self, layout: Layout, table: bytes, body: bytes) -> None:
        super().__init__(layout)
        self._body = body
        self.table = table

    def put(self, first: int, stop: int, sink: Sink) -> None:
        offset, end = self._layout.body_offset(first), self._layout.body_offset(stop)
        while offset < end:
            piece = self._body[offset : min(offset + SEGMENT, end)]
            sink.room(len(piece) + TAG_SIZE)[: len(piece)] = piece
            sink.advance(len(piece))
            offset += len(piece)


def _head(item: Item, carrier: Carrier, geometry: tuple[tuple[int, int], ...]) -> bytes:
    core = envelope.Core(
        suite=("fake",),
        manifest_cipher="fake",
        mac=None,
        source=item.source,
        carrier=carrier.kind,
        segment_size=SEGMENT,
        tag_placement=carrier.tag_placement,
        geometry=geometry,
        salt=noise(32, "salt"),
        object_key_id=noise(16, "object key id"),
        public=(),
        required=(),
        profile="fake",
        policy_digest=noise(32, "policy"),
        manifest_size=manifest.BLOCK + TAG_SIZE,
    )
    slot = envelope.Slot(
        "fake", "fake", Wrapped("fake", "1", "none", b"", "none", noise(60, "blob"))
    )
    slots = envelope.encode_slots([slot])
    capacity = envelope.default_capacity(len(slots))
    check = envelope.CheckBlock(
        noise(32, "commit"), noise(32, "core MAC"), noise(32, "context check"), capacity
    )
    zone = envelope.encode_zone(1, slots, capacity) + noise(32, "zone MAC")
    part_0 = noise(core.manifest_size, "part 0")
    return envelope.encode_core(core) + check.encode() + zone + zone + part_0
