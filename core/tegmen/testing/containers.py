"""The contracts of every source and every carrier, as tests to inherit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

import pytest

from tegmen.errors import FormatError, InputError
from tegmen.files import CountingSink, GrowingSink, MemoryReader
from tegmen.interfaces import Carrier, Item, Part, Reader, Source
from tegmen.testing.ciphers import NAME
from tegmen.testing.fakes import (
    FakeOpenedParts,
    FakeSealedStream,
    FleetingReader,
    FrontToBackSink,
    noise,
)

FOREIGN = (b"", b"\0", b"\x89", b"tegmen", noise(7), noise(128), noise(5000), bytes(5000))
"""What a detector is shown that it has never heard of."""


def pieces(reader: Reader, offset: int, length: int, step: int) -> bytes:
    """`length` bytes from `offset`, fetched `step` at a time."""
    read = bytearray()
    while len(read) < length:
        wanted = min(step, length - len(read))
        view = reader.view(offset + len(read), wanted)
        assert len(view) == wanted, f"{wanted} bytes wanted, {len(view)} came"
        read += view
    return bytes(read)


def read_part(part: Part, step: int = 1 << 20) -> bytes:
    """All of a part, `step` bytes at a time."""
    return pieces(part.reader, part.offset, part.length, step)


def damaged(data: bytes, count: int) -> Iterator[bytes]:
    """`data` cut short at `count` places, and with `count` single bits turned over."""
    draw = random.Random(len(data))  # noqa: S311  # nothing is secret here
    for _ in range(count if data else 0):
        yield data[: draw.randrange(len(data))]
        bit = draw.randrange(8 * min(len(data), draw.choice((64, 4096, len(data)))))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


class SourceContract:
    """What the core relies on. Inherit it, and define two fixtures::

        class TestMySource(SourceContract):
            @pytest.fixture
            def source(self) -> Source:
                return MySource()

            @pytest.fixture
            def samples(self) -> list[bytes]:
                return [...]  # real objects, small ones and one over 64 KiB among them

    Attributes:
        name: the file name that the samples are loaded under.
        damage: how many cuts, and how many flipped bits, are tried on each sample.
    """

    name: ClassVar[str] = "sample"
    damage: ClassVar[int] = 100

    def test_kind_is_a_name(self, source: Source) -> None:
        assert NAME.fullmatch(source.kind), source.kind

    def test_detects_its_own(self, source: Source, samples: list[bytes]) -> None:
        assert samples, "a contract without samples tests nothing"
        assert all(source.detects(FleetingReader(sample), self.name) for sample in samples)

    def test_detecting_raises_nothing(self, source: Source, samples: list[bytes]) -> None:
        cuts = (sample[:length] for sample in samples for length in range(min(300, len(sample))))
        for data in (*FOREIGN, *cuts):
            assert source.detects(FleetingReader(data), self.name) in (True, False)
            assert source.detects(FleetingReader(data), "") in (True, False)

    def test_items_are_complete(self, source: Source, samples: list[bytes]) -> None:
        for sample in samples:
            item = source.load(FleetingReader(sample), self.name)
            assert (item.source, item.name) == (source.kind, self.name)
            assert "/" in item.media_type, item.media_type
            texts = [*item.attributes, *item.attributes.values()]
            assert all(type(text) is str for text in texts), "attributes are text"
            assert item.parts, "an item has at least one part"
            assert {part.kind for part in item.parts} <= {"header", "frame", "data"}

    @pytest.mark.parametrize("step", [1 << 20, 1000, 61])
    def test_rebuilds_bit_for_bit(self, source: Source, samples: list[bytes], step: int) -> None:
        """However the parts are read, and although no view outlives the next."""
        for sample in samples:
            item = source.load(FleetingReader(sample), self.name)
            parts = [read_part(part, step) for part in item.parts]
            assert self._restored(source, item.note, parts) == sample

    def test_restoring_opens_every_part(self, source: Source, samples: list[bytes]) -> None:
        """Else an altered one would go unnoticed."""
        for sample in samples:
            note, parts = self._taken_apart(source, sample)
            opened = FakeOpenedParts(parts)
            source.restore(note, opened, GrowingSink())
            assert opened.opened == set(range(len(parts)))

    def test_damaged_input_is_refused_or_kept(self, source: Source, samples: list[bytes]) -> None:
        """A damaged file is somebody's file: bit for bit, or InputError, and nothing else."""
        for sample in samples:
            for data in damaged(sample, self.damage):
                self._refuses_or_keeps(source, data)

    def test_notes_that_do_not_fit_are_refused(self, source: Source, samples: list[bytes]) -> None:
        for sample in samples:
            note, parts = self._taken_apart(source, sample)
            others = {note[:-1], note[: len(note) // 2], b"", note + b"\0", noise(len(note) + 1)}
            for other in others - {note}:
                with pytest.raises(FormatError):
                    self._restored(source, other, parts)

    def test_damaged_notes_raise_nothing_else(self, source: Source, samples: list[bytes]) -> None:
        for sample in samples:
            note, parts = self._taken_apart(source, sample)
            for other in damaged(note, self.damage):
                self._refuses(source, other, parts)

    def test_another_number_of_parts_is_refused(self, source: Source, samples: list[bytes]) -> None:
        for sample in samples:
            note, parts = self._taken_apart(source, sample)
            for other in (parts[:-1], [*parts, b"one more"]):
                with pytest.raises(FormatError):
                    self._restored(source, note, other)

    def _taken_apart(self, source: Source, sample: bytes) -> tuple[bytes, list[bytes]]:
        item = source.load(MemoryReader(sample), self.name)
        return item.note, [read_part(part) for part in item.parts]

    def _restored(self, source: Source, note: bytes, parts: list[bytes]) -> bytes:
        sink = GrowingSink()
        source.restore(note, FakeOpenedParts(parts), sink)
        return bytes(sink.data)

    def _refuses_or_keeps(self, source: Source, data: bytes) -> None:
        if not source.detects(FleetingReader(data), self.name):
            return
        try:
            note, parts = self._taken_apart(source, data)
        except InputError:
            return
        assert self._restored(source, note, parts) == data

    def _refuses(self, source: Source, note: bytes, parts: list[bytes]) -> None:
        try:
            self._restored(source, note, parts)
        except FormatError:
            return


class CarrierContract:
    """What the core relies on. Inherit it, and define two fixtures::

        class TestMyCarrier(CarrierContract):
            @pytest.fixture
            def carrier(self) -> Carrier:
                return MyCarrier()

            @pytest.fixture
            def items(self) -> list[Item]:
                return [...]  # small ones, some with several parts, and one over 1 MiB

    Attributes:
        damage: how many cuts, and how many flipped bits, are tried on each packed item.
    """

    damage: ClassVar[int] = 100

    def secrets(self, item: Item) -> list[bytes]:
        """Bytes that must not be seen in the carrier: the name, and pieces of what is sealed.

        Headers are left out, since a carrier may show a part of one; override to add what it
        must not show.
        """
        found = [item.name.encode(), item.note[:32]]
        for part in item.parts:
            if part.kind != "header":
                data = read_part(part)
                found += (data[start : start + 24] for start in (0, len(data) // 2, len(data) - 24))
        return [secret for secret in found if len(set(secret)) >= 6]

    def test_declarations_are_complete(self, carrier: Carrier) -> None:
        assert NAME.fullmatch(carrier.kind), carrier.kind
        assert carrier.suffix == "" or carrier.suffix[0] == ".", carrier.suffix
        assert carrier.tag_placement in ("inline", "table")

    def test_plans_have_room(self, carrier: Carrier, items: list[Item]) -> None:
        assert items, "a contract without items tests nothing"
        for item in items:
            assert carrier.accepts(item) is None
            stored = carrier.plan(item).stored_lengths
            lengths = [part.length for part in item.parts]
            assert stored is None or len(stored) == len(lengths)
            assert all(
                room >= length for room, length in zip(stored or lengths, lengths, strict=True)
            )

    def test_gives_back_the_same_stream(self, carrier: Carrier, items: list[Item]) -> None:
        """All of it was put, once and in order; it comes back whole and in pieces."""
        for item in items:
            sealed, packed = pack(carrier, item)
            stream = carrier.unpack(FleetingReader(packed))
            assert stream.size == len(sealed)
            assert pieces(stream, 0, len(sealed), 1 << 20) == sealed
            assert pieces(stream, 0, min(5000, len(sealed)), 61) == sealed[:5000]
            for start, length in _places(len(sealed)):
                assert stream.view(start, length) == sealed[start : start + length]

    def test_detects_its_own(self, carrier: Carrier, items: list[Item]) -> None:
        for item in items:
            _, packed = pack(carrier, item)
            assert carrier.detects(FleetingReader(packed))

    def test_detecting_raises_nothing(self, carrier: Carrier, items: list[Item]) -> None:
        _, packed = pack(carrier, items[0])
        for data in (*FOREIGN, *(packed[:length] for length in range(min(300, len(packed))))):
            assert carrier.detects(FleetingReader(data)) in (True, False)

    def test_size_is_known_before(self, carrier: Carrier, items: list[Item]) -> None:
        for item in items:
            _, packed = pack(carrier, item)
            sink = CountingSink()
            _pack_into(sink, carrier, item)
            assert sink.tell() == len(packed)

    def test_inline_tags_need_no_seeking(self, carrier: Carrier, items: list[Item]) -> None:
        if carrier.tag_placement == "inline":
            sink = FrontToBackSink()
            _pack_into(sink, carrier, items[0])
            assert len(sink.data) == sink.tell() > 0

    def test_unpacking_reads_no_body(self, carrier: Carrier, items: list[Item]) -> None:
        for item in items:
            sealed, packed = pack(carrier, item)
            reader = FleetingReader(packed)
            carrier.unpack(reader)
            assert reader.viewed <= len(sealed) // 4 + (1 << 17), f"read {reader.viewed} bytes"

    def test_shows_nothing_that_is_sealed(self, carrier: Carrier, items: list[Item]) -> None:
        tried = 0
        for item in items:
            _, packed = pack(carrier, item)
            for secret in self.secrets(item):
                assert secret not in packed, f"{secret!r} is in clear"
                tried += 1
        assert tried, "no item had anything recognisable in it"

    def test_foreign_bytes_hold_nothing(self, carrier: Carrier) -> None:
        for data in FOREIGN:
            with pytest.raises((InputError, FormatError)):
                carrier.unpack(FleetingReader(data))

    def test_damage_is_a_typed_error(self, carrier: Carrier, items: list[Item]) -> None:
        """A cut carrier never passes for a whole one; tags find flipped bits, not carriers."""
        for item in items:
            sealed, packed = pack(carrier, item)
            for data in damaged(packed, self.damage):
                read = self._read(carrier, data, len(sealed))
                assert read is None or read == sealed or len(data) == len(packed)

    def _read(self, carrier: Carrier, data: bytes, length: int) -> bytes | None:
        """The stream in `data`, or None if it was refused with one of the errors allowed."""
        try:
            return pieces(carrier.unpack(MemoryReader(data)), 0, length, 1 << 20)
        except (InputError, FormatError):
            return None


def pack(carrier: Carrier, item: Item) -> tuple[bytes, bytes]:
    """A fake sealed stream of `item`, and the carrier that holds it."""
    sink = GrowingSink()
    sealed = _pack_into(sink, carrier, item)
    return sealed, bytes(sink.data)


def _pack_into(sink: GrowingSink | CountingSink, carrier: Carrier, item: Item) -> bytes:
    plan = carrier.plan(item)
    sealed = FakeSealedStream(item, plan, carrier)
    carrier.pack(plan, sealed, sink)
    sealed.finish(sink)
    return sealed.data


def _places(size: int) -> list[tuple[int, int]]:
    draw = random.Random(size)  # noqa: S311  # nothing is secret here
    starts = [draw.randrange(size) for _ in range(50)]
    return [(start, draw.randint(0, min(70000, size - start))) for start in starts]
