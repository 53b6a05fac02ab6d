"""Sources and carriers that are each wrong in one way; each goes around an honest one."""

from __future__ import annotations

from attrs import evolve, field, frozen

from tegmen.errors import NotSealed
from tegmen.interfaces import (
    Carrier,
    Item,
    OpenedParts,
    Part,
    Plan,
    Reader,
    SealedStream,
    Sink,
    Source,
    TagPlacement,
)


@frozen
class HostileSource:
    """An honest source; each subclass adds one fault."""

    inner: Source

    @property
    def kind(self) -> str:
        return self.inner.kind

    def detects(self, reader: Reader, name: str, /) -> bool:
        return self.inner.detects(reader, name)

    def load(self, reader: Reader, name: str, /) -> Item:
        return self.inner.load(reader, name)

    def restore(self, note: bytes, parts: OpenedParts, sink: Sink, /) -> None:
        self.inner.restore(note, parts, sink)


@frozen
class _ShortReader:
    inner: Reader

    @property
    def size(self) -> int:
        return self.inner.size

    def view(self, offset: int, length: int, /) -> memoryview:
        return self.inner.view(offset, length)[: length // 2]


@frozen
class _HeldReader:
    held: memoryview

    @property
    def size(self) -> int:
        return len(self.held)

    def view(self, offset: int, length: int, /) -> memoryview:
        return self.held[offset : offset + length]


def _with_last(item: Item, part: Part) -> Item:
    return evolve(item, parts=[*item.parts[:-1], part])


class ShortSource(HostileSource):
    """Returns fewer bytes than it said."""

    def load(self, reader: Reader, name: str, /) -> Item:
        item = self.inner.load(reader, name)
        last = item.parts[-1]
        return _with_last(item, evolve(last, reader=_ShortReader(last.reader)))


class OverclaimingSource(HostileSource):
    """Says that its last part is longer than the file."""

    def load(self, reader: Reader, name: str, /) -> Item:
        item = self.inner.load(reader, name)
        last = item.parts[-1]
        return _with_last(item, evolve(last, length=last.reader.size - last.offset + 1))


class LosingSource(HostileSource):
    """Leaves out the last byte."""

    def load(self, reader: Reader, name: str, /) -> Item:
        item = self.inner.load(reader, name)
        last = item.parts[-1]
        return _with_last(item, evolve(last, length=max(0, last.length - 1)))


class HoldingSource(HostileSource):
    """Keeps a view for later, by when the reader has used its memory again."""

    def load(self, reader: Reader, name: str, /) -> Item:
        item = self.inner.load(reader, name)
        last = item.parts[-1]
        held = _HeldReader(last.reader.view(last.offset, last.length))
        last.reader.view(0, 0)
        return _with_last(item, evolve(last, reader=held, offset=0))


class HalfRestoringSource(HostileSource):
    """Never opens the last part, so nobody notices that it was altered."""

    def restore(self, note: bytes, parts: OpenedParts, sink: Sink, /) -> None:
        for index in range(len(parts.lengths) - 1):
            parts.copy(index, sink)


class TrustingSource(HostileSource):
    """Restores whatever parts there are, whatever the note says."""

    def restore(self, _note: bytes, parts: OpenedParts, sink: Sink, /) -> None:
        for index in range(len(parts.lengths)):
            parts.copy(index, sink)


class NervousSource(HostileSource):
    """Cannot look at a short file."""

    def detects(self, reader: Reader, name: str, /) -> bool:
        return self.inner.detects(reader, name) and reader.view(0, 4) is not None


class CrashingSource(HostileSource):
    """Meets a damaged file with an exception of another kind."""

    def load(self, reader: Reader, name: str, /) -> Item:
        if reader.size < 100:
            raise KeyError(reader.size)
        return self.inner.load(reader, name)


@frozen
class HostileCarrier:
    """An honest carrier; each subclass adds one fault."""

    inner: Carrier

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def suffix(self) -> str:
        return self.inner.suffix

    @property
    def tag_placement(self) -> TagPlacement:
        return self.inner.tag_placement

    def detects(self, reader: Reader, /) -> bool:
        return self.inner.detects(reader)

    def accepts(self, item: Item, /) -> str | None:
        return self.inner.accepts(item)

    def plan(self, item: Item, /) -> Plan:
        return self.inner.plan(item)

    def pack(self, plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        self.inner.pack(plan, sealed, sink)

    def unpack(self, reader: Reader, /) -> Reader:
        return self.inner.unpack(reader)


class DroppingCarrier(HostileCarrier):
    """Leaves out the last part."""

    def pack(self, _plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        sealed.put_head(sink)
        sealed.put_parts(sink, 1, sealed.part_count)


class HastyCarrier(HostileCarrier):
    """Puts the parts before the head."""

    def pack(self, _plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        sealed.put_parts(sink, 1, sealed.part_count + 1)
        sealed.put_head(sink)


class PatchingCarrier(HostileCarrier):
    """Goes back in a sink that may be a pipe, although it declares inline tags."""

    def pack(self, plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        self.inner.pack(plan, sealed, sink)
        sink.patch(0, b"\x89")


class LeakingCarrier(HostileCarrier):
    """Writes the source's name after the sealed stream, in clear."""

    def plan(self, item: Item, /) -> Plan:
        return Plan(detail=(self.inner.plan(item), item.name.encode()))

    def pack(self, plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        inner_plan, name = plan.detail
        self.inner.pack(inner_plan, sealed, sink)
        sink.write(name)


@frozen
class GrowingCarrier(HostileCarrier):
    """Adds a byte more each time, so that no size is known before."""

    _extra: list[int] = field(factory=list, init=False)

    def pack(self, plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        self.inner.pack(plan, sealed, sink)
        self._extra.append(0)
        sink.write(bytes(self._extra))


class GreedyCarrier(HostileCarrier):
    """Reads the whole body to find the stream."""

    def unpack(self, reader: Reader, /) -> Reader:
        reader.view(0, reader.size)
        return self.inner.unpack(reader)


class NarrowCarrier(HostileCarrier):
    """Cannot look at a short file."""

    def detects(self, reader: Reader, /) -> bool:
        return reader.view(0, 4) is not None and self.inner.detects(reader)


class CrashingCarrier(HostileCarrier):
    """Meets foreign bytes with an exception of another kind."""

    def unpack(self, reader: Reader, /) -> Reader:
        try:
            return self.inner.unpack(reader)
        except NotSealed as error:
            raise KeyError("sealed") from error


@frozen
class _PaddedReader:
    inner: Reader

    @property
    def size(self) -> int:
        return self.inner.size

    def view(self, offset: int, length: int, /) -> memoryview:
        there = min(length, max(0, self.inner.size - offset))
        start = min(offset, self.inner.size)
        return memoryview(bytes(self.inner.view(start, there)).ljust(length, b"\0"))


class PaddingCarrier(HostileCarrier):
    """Hides that it was cut short behind zeros."""

    def unpack(self, reader: Reader, /) -> Reader:
        return _PaddedReader(self.inner.unpack(reader))
