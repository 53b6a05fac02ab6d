"""Opens a sealed stream: header, a slot, the checks, the manifest; then its parts on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tegmen import envelope, keys, manifest
from tegmen.body import BodyReader, Layout, Suite
from tegmen.buffers import Larger, fresh
from tegmen.errors import (
    CannotUnwrap,
    ContextMismatch,
    FormatError,
    HeaderAltered,
    KeyStoreError,
    PluginBroken,
    WrongKey,
)
from tegmen.interfaces import KeyStore, Reader, Sink, Source

MAX_UNWRAPS = 4


class Header(NamedTuple):
    """All of a sealed stream that can be read without a key; nothing in it is verified.

    Attributes:
        raw: prelude and core as read.
        hash: H.
        zones: those that are whole, the higher generation first.
        manifest_at, table_at: offsets in the stream.
    """

    core: envelope.Core
    raw: bytes
    hash: bytes
    check: envelope.CheckBlock
    zones: tuple[envelope.Zone, ...]
    manifest_at: int
    table_at: int


def read_header(stream: Reader) -> Header:
    """The header of a sealed stream.

    Raises:
        NotSealed, UnknownVersion, FormatError.
    """
    core, raw = envelope.read_core(stream)
    check = envelope.read_check(stream, len(raw))
    zones_at = len(raw) + envelope.CHECK_SIZE
    zones = envelope.read_zones(stream, zones_at, check.capacity)
    manifest_at = zones_at + 2 * envelope.zone_size(check.capacity)
    table_at = manifest_at + core.manifest_size
    if stream.size < table_at:
        raise FormatError("the object ends inside its manifest", hint="fetch it again: it was cut")
    return Header(core, raw, keys.header_hash(raw), check, tuple(zones), manifest_at, table_at)


def unwrap(
    header: Header, store_for: Callable[[envelope.Slot], KeyStore | None]
) -> tuple[keys.KeySchedule, envelope.Slot]:
    """Ask the key stores for the data key, one slot after the other.

    Args:
        store_for: the store for a slot, or None when this installation has none for it or may
            not use that key.

    Returns:
        The keys of the object, and the slot that gave them.

    Raises:
        KeyStoreError: the one failure, or CannotUnwrap that sums up several.
    """
    failures: list[tuple[envelope.Slot, KeyStoreError]] = []
    asked: set[tuple[str, str, bytes]] = set()
    for zone in header.zones:
        for slot in zone.slots:
            identity = (slot.store, slot.wrapped.key_id, slot.wrapped.blob)
            store = None if identity in asked else store_for(slot)
            if store is None or len(asked) == MAX_UNWRAPS:
                continue
            asked.add(identity)
            try:
                data_key = store.unwrap(slot.wrapped, header.core.object_key_id)
            except KeyStoreError as error:
                failures.append((slot, error))
                continue
            schedule = keys.KeySchedule(data_key, header.core.salt)
            if keys.same(schedule.commit(), header.check.commit):
                return schedule, slot
            failures.append((slot, _not_committed(slot)))
    raise _refusal(header, failures)


def _not_committed(slot: envelope.Slot) -> WrongKey:
    return WrongKey(
        f"{slot.store}/{slot.wrapped.key_id} gave a data key that is not this object's",
        hint="the object's salt or commitment was altered, or the store returned another key",
    )


def _refusal(
    header: Header, failures: Sequence[tuple[envelope.Slot, KeyStoreError]]
) -> KeyStoreError:
    if len(failures) == 1:
        return failures[0][1]
    if failures:
        kinds = {type(error) for _, error in failures}
        refusal = kinds.pop() if len(kinds) == 1 else CannotUnwrap
        tried = "; ".join(str(error) for _, error in failures)
        return refusal(f"no slot could be opened: {tried}", hint=failures[0][1].hint)
    names = sorted({f"{s.store}/{s.wrapped.key_id}" for z in header.zones for s in z.slots})
    names += sorted({kind for zone in header.zones for kind in zone.skipped})
    return CannotUnwrap(
        f"sealed for {', '.join(names) or 'nobody'}, and none of these is a recipient here",
        hint="have one of these stores configured, and its key in a profile or in `open-with`",
    )


class Opened:
    """A sealed object whose key is known and whose header and manifest were verified.

    Attributes:
        header: as read, now verified.
        manifest: names, types and lengths.
        warnings: what was damaged or changed but did not matter.
    """

    def __init__(
        self,
        stream: Reader,
        header: Header,
        schedule: keys.KeySchedule,
        bound: bytes,
        carrier: str,
        suites: Mapping[str, Suite],
        larger: Larger = fresh,
    ) -> None:
        """
        Args:
            schedule: whose commitment was compared with the header's.
            bound: X, of the context that was given.
            carrier: kind of the carrier that the stream was found in.
            suites: ciphers by name.
            larger: where the reader of the parts gets its buffer.

        Raises:
            HeaderAltered, ContextMismatch, SegmentAltered, FormatError.
        """
        core = header.core
        if not keys.same(schedule.core_mac(header.hash), header.check.core_mac):
            raise HeaderAltered("the header was altered", hint="fetch or restore another copy")
        check = schedule.context_check(header.hash, bound)
        if not keys.same(check, header.check.context_check):
            raise _context_mismatch(core.required)
        if core.carrier != carrier:
            raise FormatError(f"sealed for carrier {core.carrier}, found in {carrier}")
        self.header = header
        self.warnings = _zone_warnings(header, schedule)
        suite = suites[core.suite[0]]
        if len(core.suite) != 1 or core.mac != suite.mac:
            raise FormatError("the header's suite and MAC do not belong together")
        self.manifest = _read_manifest(stream, header, schedule, suites[core.manifest_cipher])
        _check_segmenting(core, suite)
        layout = Layout(suite, core.geometry, core.segment_size, core.tag_placement)
        _check_extent(stream, header, layout)
        binder = suite.binder(schedule, header.hash, bound)
        lengths = manifest.Expanded(self.manifest.lengths)
        self.parts = BodyReader(stream, header.table_at, layout, binder, lengths, larger)

    @property
    def name(self) -> str:
        """The source's base name, as sealed; check it before a file gets it."""
        return self.manifest.items[0].name

    def restore(self, source: Source, sink: Sink) -> None:
        """Write the original object.

        Raises:
            SegmentAltered, FormatError, OutputError.
        """
        source.restore(self.manifest.items[0].note, self.parts, sink)
        if not self.parts.all_opened():
            raise PluginBroken(f"source {source.kind} did not read every part")


def _context_mismatch(required: Sequence[str]) -> ContextMismatch:
    if not required:
        return ContextMismatch("the context check was altered", hint="restore another copy")
    return ContextMismatch(
        f"the context given for {', '.join(required)} is not what the object was sealed under",
        hint="give the values that were declared when it was sealed",
    )


def _zone_warnings(header: Header, schedule: keys.KeySchedule) -> tuple[str, ...]:
    first, last = header.zones[0], header.zones[-1]
    warnings = [
        f"the slot zone of generation {zone.generation} was altered"
        for zone in ((first,) if first is last else (first, last))
        if not keys.same(schedule.zone_mac(header.hash, header.check.capacity, zone.raw), zone.mac)
    ]
    if len(header.zones) == 1:
        warnings.append("one of the two slot zones is damaged; the other one opened")
    return tuple(warnings)


def _read_manifest(
    stream: Reader, header: Header, schedule: keys.KeySchedule, suite: Suite
) -> manifest.Manifest:
    core = header.core
    if suite.info.tier != "standard" or suite.mac is not None:
        raise FormatError(f"{core.manifest_cipher} cannot protect a manifest")
    size = core.manifest_size - suite.tag_size
    if size < manifest.BLOCK or size % manifest.BLOCK:
        raise FormatError("manifest: its size is not a multiple of 256")
    plain = bytearray(size)
    stored = stream.view(header.manifest_at, core.manifest_size)
    suite.manifest_closer(schedule).decrypt(0, True, stored, memoryview(plain))
    return manifest.decode(bytes(plain), core.geometry)


def _check_segmenting(core: envelope.Core, suite: Suite) -> None:
    """What is decrypted at once must be what the cipher asks for, so that memory is bounded."""
    whole = suite.info.segmenting == "whole-part"
    if whole != (core.segment_size == 0):
        raise FormatError(
            f"core: a segment size of {core.segment_size} with cipher {suite.name}, which takes "
            + ("whole parts" if whole else "segments")
        )
    most = suite.info.max_part
    longest = max([length for _, length in core.geometry])
    if most is not None and longest > most:
        raise FormatError(f"core: a part of {longest} bytes, cipher {suite.name} takes {most}")


def _check_extent(stream: Reader, header: Header, layout: Layout) -> None:
    end = header.table_at + layout.table_size + layout.body_size
    if stream.size != end:
        what = "ends early" if stream.size < end else "is followed by more bytes"
        raise FormatError(
            f"the object {what}: {stream.size} bytes, {end} expected",
            hint="fetch it again: it was cut" if stream.size < end else "remove what was appended",
        )
