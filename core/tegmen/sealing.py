"""Makes the sealed stream of one item: data key, slots, header, manifest, then its parts."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from attrs import frozen

from tegmen import envelope, keys, manifest
from tegmen.body import BlankWriter, BodyWriter, Layout, Suite
from tegmen.errors import InputError, PluginBroken
from tegmen.interfaces import Carrier, Item, KeyStore, Plan, Sink
from tegmen.profile import Profile, Recipient


@frozen
class Setup:
    """A profile with the parts that it names, made once and used for every object.

    Attributes:
        stores: of `profile.recipients`, in that order.
        public: context stored in clear, sorted by name.
    """

    profile: Profile
    suite: Suite
    manifest_suite: Suite
    carrier: Carrier
    stores: tuple[tuple[Recipient, KeyStore], ...]
    public: tuple[tuple[str, str], ...]
    policy_digest: bytes


class Stream:
    """The sealed object as a carrier sees it (tegmen.interfaces.SealedStream)."""

    def __init__(self, head: bytes, layout: Layout, writer: BodyWriter | BlankWriter) -> None:
        self._head = head
        self._layout = layout
        self._writer = writer
        self._table_at = -1
        self._next = 1
        self.head_size = len(head) + layout.table_size
        self.part_count = layout.parts

    def size(self, first: int, stop: int) -> int:
        return self._layout.body_offset(stop) - self._layout.body_offset(first)

    def put_head(self, sink: Sink) -> None:
        self._table_at = sink.tell() + len(self._head)
        sink.write(self._head)
        if self._layout.table_size:
            sink.write(bytes(self._layout.table_size))

    def put_parts(self, sink: Sink, first: int, stop: int) -> None:
        if self._table_at < 0 or first != self._next or stop > self.part_count + 1:
            raise PluginBroken("the carrier did not put the head and the parts in order")
        self._writer.put(first, stop, sink)
        self._next = stop

    def finish(self, sink: Sink) -> None:
        """Fill in the tag table. Raises PluginBroken if the carrier left something out."""
        if self._next != self.part_count + 1:
            raise PluginBroken(f"the carrier left out part {self._next} and what follows")
        if self._layout.table_size:
            sink.patch(self._table_at, self._writer.table)


class Sealed(NamedTuple):
    """A stream ready to be packed, and what its receipt will say."""

    stream: Stream
    header: bytes
    schedule: keys.KeySchedule
    slots: tuple[envelope.Slot, ...]


def seal(
    setup: Setup, item: Item, plan: Plan, context: Mapping[str, str | int | bytes], *, blank: bool
) -> Sealed:
    """Draw a data key, close it for every recipient, and make the stream.

    Args:
        blank: make a stream of the right size only; nothing is encrypted.

    Raises:
        ContextMissing, ContextMismatch: of `context`.
        KeyStoreError: a recipient's store refused; nothing is sealed without it.
        TooLarge: the header has no room.
    """
    profile, suite = setup.profile, setup.suite
    secret = os.urandom(80)
    data_key, salt, object_key_id = secret[:32], secret[32:64], secret[64:]
    slots = tuple(
        envelope.Slot(
            store.kind, recipient.store, store.wrap(recipient.key_id, data_key, object_key_id)
        )
        for recipient, store in setup.stores
    )
    whole = suite.info.segmenting == "whole-part"
    geometry = manifest.runs(manifest.stored_lengths(item.parts, plan.stored_lengths))
    part_0 = _manifest(item, plan)
    core = envelope.Core(
        suite=(suite.info.name,),
        manifest_cipher=setup.manifest_suite.info.name,
        mac=suite.mac,
        source=item.source,
        carrier=setup.carrier.kind,
        segment_size=0 if whole else profile.segment_size,
        tag_placement=setup.carrier.tag_placement,
        geometry=geometry,  # type: ignore[arg-type]  # runs of lengths are integers
        salt=salt,
        object_key_id=object_key_id,
        public=setup.public,
        required=profile.context,
        profile=profile.name,
        policy_digest=setup.policy_digest,
        manifest_size=len(part_0) + setup.manifest_suite.tag_size,
    )
    raw = envelope.encode_core(core)
    header = keys.header_hash(raw)
    bound = keys.context_hash(profile.context, context)
    schedule = keys.KeySchedule(data_key, salt)
    head = b"".join(
        (
            raw,
            _check_and_zones(schedule, header, bound, slots),
            _encrypt_manifest(setup.manifest_suite, schedule, part_0),
        )
    )
    layout = Layout(suite, core.geometry, core.segment_size, core.tag_placement)
    binder = suite.binder(schedule, header, bound)
    writer = BlankWriter(layout) if blank else BodyWriter(layout, binder, item.parts)
    return Sealed(Stream(head, layout, writer), header, schedule, slots)


def _manifest(item: Item, plan: Plan) -> bytes:
    entry = manifest.Entry(
        _stored_name(item.name),
        item.media_type,
        item.source,
        item.note,
        manifest.kinds_of(item.parts),
    )
    lengths = manifest.runs([part.length for part in item.parts])
    return manifest.encode(manifest.Manifest((entry,), lengths, plan.note))  # type: ignore[arg-type]


def _stored_name(name: str) -> str:
    """`name` in Unicode normal form C, as all text of the format is. Raises InputError."""
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
        try:
            name.encode()
        except UnicodeEncodeError:  # a file system may hold any bytes
            raise InputError(
                f"the name {name!r} is not Unicode text", hint="rename it, or give another name"
            ) from None
    return name


def _check_and_zones(
    schedule: keys.KeySchedule, header: bytes, bound: bytes, slots: Sequence[envelope.Slot]
) -> bytes:
    encoded = envelope.encode_slots(slots)
    capacity = envelope.default_capacity(len(encoded))
    check = envelope.CheckBlock(
        schedule.commit(),
        schedule.core_mac(header),
        schedule.context_check(header, bound),
        capacity,
    )
    zone = envelope.encode_zone(1, encoded, capacity)
    zone += schedule.zone_mac(header, capacity, zone)
    return check.encode() + zone + zone


def _encrypt_manifest(suite: Suite, schedule: keys.KeySchedule, part_0: bytes) -> bytes:
    out = bytearray(len(part_0) + suite.tag_size)
    suite.manifest_closer(schedule).encrypt(0, True, memoryview(part_0), memoryview(out))
    return bytes(out)
