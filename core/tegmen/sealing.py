"""Makes the sealed stream of one item: data key, slots, header, manifest, then its parts."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from attrs import frozen

from tegmen import envelope, keys, manifest, opening
from tegmen.body import BlankWriter, BodyWriter, Layout, Suite
from tegmen.errors import (
    AccessDenied,
    CannotUnwrap,
    FormatError,
    InputError,
    IntegrityError,
    PluginBroken,
    WrongKey,
)
from tegmen.interfaces import Carrier, Item, KeyStore, Plan, Sink
from tegmen.problem import shown
from tegmen.profile import Profile, Recipient
from tegmen.receipts import slot_name

MAX_BLOB = 3 << 10
"""Bytes of a wrapped data key (tegmen.interfaces.Wrapped)."""


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
        PluginBroken: a store answered for another key, or at too great length.
        InputError: the name cannot be given to a file again.
        TooLarge: the header has no room.
    """
    profile, suite = setup.profile, setup.suite
    secret = os.urandom(80)
    data_key, salt, object_key_id = secret[:32], secret[32:64], secret[64:]
    slots = tuple([_slot(*each, data_key, object_key_id) for each in setup.stores])
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


def _slot(
    recipient: Recipient, store: KeyStore, data_key: bytes, object_key_id: bytes
) -> envelope.Slot:
    wrapped = store.wrap(recipient.key_id, data_key, object_key_id)
    if wrapped.key_id != recipient.key_id or len(wrapped.blob) > MAX_BLOB:
        raise PluginBroken(
            f"asked for key {recipient}, the store of kind {store.kind} answered for key "
            f"{shown(wrapped.key_id[:80])} with {len(wrapped.blob)} bytes; {MAX_BLOB} is the most",
            hint="report it to the plugin's authors; nothing was sealed",
        )
    return envelope.Slot(store.kind, recipient.store, wrapped)


def prove(setup: Setup, sealed: Sealed, header: opening.Header) -> tuple[str, ...]:
    """Let every store give back the data key from its slot as it was written.

    Returns:
        The slots that could not be proved: their stores only close from here.

    Raises:
        IntegrityError: a slot does not open to this object's data key.
        KeyStoreError: a store failed.
    """
    if any(zone.slots != sealed.slots for zone in header.zones) or len(header.zones) != 2:
        raise IntegrityError("the slots that were written are not those that were made")
    proved = [
        _gives_back(store, slot, header)
        for (_, store), slot in zip(setup.stores, sealed.slots, strict=True)
    ]
    return tuple(slot_name(slot) for slot, yes in zip(sealed.slots, proved, strict=True) if not yes)


def _gives_back(store: KeyStore, slot: envelope.Slot, header: opening.Header) -> bool:
    """Whether the store opened the slot; False when it may only close from here."""
    try:
        data_key = store.unwrap(slot.wrapped, header.core.object_key_id)
    except (CannotUnwrap, AccessDenied):
        return False
    except WrongKey as error:
        raise _does_not_open(slot) from error
    commit = keys.KeySchedule(data_key, header.core.salt).commit()  # equal for no other data key
    if not keys.same(commit, header.check.commit):
        raise _does_not_open(slot)
    return True


def _does_not_open(slot: envelope.Slot) -> IntegrityError:
    return IntegrityError(
        f"what {slot_name(slot)} closed does not open to the data key that it was given",
        hint="nothing was sealed; check that store: `tegmen doctor`",
    )


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
    """`name` in Unicode normal form C, as all text of the format is.

    Raises:
        InputError: no file could get it back; the message does not repeat it.
    """
    try:
        if not name.isascii():
            name = unicodedata.normalize("NFC", name)
        return manifest.check_name(name) if name else name
    except (FormatError, UnicodeEncodeError):  # a file system may hold any bytes
        raise InputError(
            "the name of the original cannot be given to a file when it is opened",
            hint="give another name to restore: name=, or --name on the command line",
        ) from None


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
