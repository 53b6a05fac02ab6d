"""The sealed stream as it is, in a file of its own."""

from __future__ import annotations

from attrs import field, frozen

from tegmen.envelope import MAGIC
from tegmen.errors import NotSealed
from tegmen.interfaces import Item, Plan, Reader, SealedStream, Sink, TagPlacement


@frozen
class TgmCarrier:
    """Holds anything; adds nothing."""

    kind: str = field(default="tgm", init=False)
    suffix: str = field(default=".tgm", init=False)
    tag_placement: TagPlacement = field(default="inline", init=False)

    def detects(self, reader: Reader, /) -> bool:
        return reader.size >= len(MAGIC) and reader.view(0, len(MAGIC)) == MAGIC

    def accepts(self, _item: Item, /) -> str | None:
        return None

    def plan(self, _item: Item, /) -> Plan:
        return Plan()

    def pack(self, _plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        sealed.put_head(sink)
        sealed.put_parts(sink, 1, sealed.part_count + 1)

    def unpack(self, reader: Reader, /) -> Reader:
        if not self.detects(reader):
            raise NotSealed("no sealed object here", hint="name a file that tegmen sealed")
        return reader
