"""The header of a sealed object: prelude, core, check block, slot zones. Pure; no I/O, no keys.

docs/format.md is the specification; the names here are its names.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from types import NoneType
from typing import Any, NamedTuple

from tegmen import canonical
from tegmen.errors import ConfigError, FormatError, NotSealed, TooLarge, UnknownVersion
from tegmen.interfaces import Reader, TagPlacement, Wrapped

MAGIC = b"\x89TGM\r\n\x1a\n"
VERSION = 0
PRELUDE = struct.Struct(">8sB3sI")
MAX_CORE = 1 << 16
MAX_SEGMENT = 1 << 26
MAX_MANIFEST = 1 << 22
MAX_PARTS = (1 << 32) - 1
CHECK = struct.Struct(">32s32s32sI")
CHECK_SIZE = CHECK.size
MAX_SLOTS = 32
MAX_SLOT = 4096
MAX_CAPACITY = 1 << 18
ZONE_HEAD = struct.Struct(">QI")
ZONE_TAIL = 8 + 32
_TAG_PLACEMENTS: tuple[TagPlacement, ...] = ("inline", "table")
_LEAF = 0


class Core(NamedTuple):
    """The immutable, authenticated description of a sealed object.

    Attributes:
        suite: names of the ciphers, innermost first.
        manifest_cipher: the AEAD of part 0.
        mac: what authenticates a suite that does not, or None.
        source, carrier: the kinds of container.
        segment_size: bytes of plaintext in a full segment; 0, one segment is one part.
        tag_placement: beside each segment, or together in a table.
        geometry: runs of (count, bytes of plaintext with padding), parts 1 and up.
        salt: 32 random bytes.
        object_key_id: 16 random bytes, drawn with the data key, bound into every slot.
        public: context anyone may read, sorted by name.
        required: sorted names of the context that opening needs.
        profile: the profile's name.
        policy_digest: SHA-256 of the policy that chose it.
        manifest_size: bytes of part 0 as stored, tag included.
    """

    suite: tuple[str, ...]
    manifest_cipher: str
    mac: str | None
    source: str
    carrier: str
    segment_size: int
    tag_placement: TagPlacement
    geometry: tuple[tuple[int, int], ...]
    salt: bytes
    object_key_id: bytes
    public: tuple[tuple[str, str], ...]
    required: tuple[str, ...]
    profile: str
    policy_digest: bytes
    manifest_size: int

    @property
    def part_count(self) -> int:
        if len(self.geometry) == 1:
            return self.geometry[0][0]
        return sum([count for count, _ in self.geometry])


def encode_core(core: Core) -> bytes:
    """Prelude and core, as they stand in the object.

    Raises:
        TooLarge: over 64 KiB, for instance too many parts of different lengths.
        ConfigError: a name in it could not be read back.
    """
    if not canonical.is_name(*_names(core)):
        raise ConfigError(
            "a name or public context value of the profile is not printable text in normal form "
            f"C, or is longer than {canonical.MAX_NAME} characters",
            hint="change it in the configuration",
        )
    body = canonical.encode(_core_fields(core))
    if len(body) > MAX_CORE:
        raise TooLarge(
            f"the header would need {len(body)} bytes, {MAX_CORE} is the most",
            hint="pad the frames to one length, or use fewer and shorter public context entries",
        )
    return PRELUDE.pack(MAGIC, VERSION, b"\0\0\0", len(body)) + body


def _core_fields(core: Core) -> tuple[Any, ...]:
    """The fields of Core in their order; 7, the part count, follows from the geometry."""
    return (
        *core[:6],
        _TAG_PLACEMENTS.index(core.tag_placement),
        core.part_count,
        canonical.flat(core.geometry),
        core.salt,
        core.object_key_id,
        canonical.flat(core.public) or None,
        core.required or None,
        *core[12:],
    )


def _names(core: Core) -> list[str]:
    """All text in the core."""
    names = [core.manifest_cipher, core.source, core.carrier, core.profile, *core.suite]
    if core.mac is not None:
        names.append(core.mac)
    if core.required or core.public:
        names += [*core.required, *canonical.flat(core.public)]
    return names


def read_core(stream: Reader) -> tuple[Core, bytes]:
    """The core at the start of a sealed stream, and the bytes of prelude and core as read.

    Raises:
        NotSealed: the stream does not start with the magic.
        UnknownVersion: another version of the format.
        FormatError: truncated or not well-formed.
    """
    prelude = bytes(stream.view(0, min(stream.size, PRELUDE.size)))
    if not prelude.startswith(MAGIC):
        raise NotSealed("no sealed object here", hint="name a file that tegmen sealed")
    if len(prelude) < PRELUDE.size:
        raise _truncated("prelude")
    _, version, zeros, length = PRELUDE.unpack(prelude)
    if version != VERSION:
        raise UnknownVersion(
            f"sealed with version {version} of the format, this release reads {VERSION}",
            hint="open it with a newer tegmen",
        )
    if zeros != b"\0\0\0" or length > MAX_CORE:
        raise FormatError("prelude: reserved bytes or length out of range")
    if stream.size < PRELUDE.size + length:
        raise _truncated("core")
    raw = bytes(stream.view(0, PRELUDE.size + length))
    return _decode_core(raw[PRELUDE.size :]), raw


def _truncated(zone: str) -> FormatError:
    return FormatError(f"the object ends inside its {zone}", hint="fetch it again: it was cut")


_CORE_KINDS = (
    *(tuple, str, NoneType, str, str, int, int, int),
    *(tuple, bytes, bytes, NoneType, NoneType, str, bytes, int),
)


def _decode_core(body: bytes) -> Core:
    (
        suite,
        manifest_cipher,
        mac,
        source,
        carrier,
        segment_size,
        placement,
        count,
        geometry,
        salt,
        object_key_id,
        public,
        required,
        profile,
        digest,
        manifest_size,
    ) = canonical.fields(canonical.parse(body, "core"), _CORE_KINDS, "core")
    if placement not in (0, 1) or not (required is None or type(required) is tuple):
        raise FormatError("core: tag placement or required context out of range")
    if len(salt) != 32 or len(object_key_id) != 16 or len(digest) != 32:
        raise FormatError("core: salt, object key id or policy digest has the wrong length")
    core = Core(
        suite,
        manifest_cipher,
        mac,
        source,
        carrier,
        segment_size,
        _TAG_PLACEMENTS[placement],
        canonical.runs(geometry, "core"),
        salt,
        object_key_id,
        () if public is None else canonical.pairs(public, "core"),
        () if required is None else required,
        profile,
        digest,
        manifest_size,
    )
    _check_core(core, count)
    canonical.prove(_core_fields(core), body, "core")
    return core


def _check_core(core: Core, count: int) -> None:
    if not core.suite or not 0 <= core.segment_size <= MAX_SEGMENT:
        raise FormatError("core: no cipher, or a segment size out of range")
    parts = total = 0
    for number, length in core.geometry:
        parts += number
        total += number * length
    if not 1 <= count <= MAX_PARTS or count != parts:
        raise FormatError("core: the part count does not fit the geometry")
    if total >= canonical.MAX_INTEGER:
        raise FormatError("core: the geometry overflows")
    if not 0 <= core.manifest_size <= MAX_MANIFEST:
        raise FormatError(f"core: a manifest of more than {MAX_MANIFEST} bytes")
    canonical.check_names(_names(core), "core")
    if core.required:
        _check_sorted(core.required)
    if core.public:
        _check_sorted([name for name, _ in core.public])


def _check_sorted(names: Sequence[str]) -> None:
    if [*names] != sorted({*names}):
        raise FormatError("core: context names must be sorted and unique")


class CheckBlock(NamedTuple):
    """What a data key is checked against before it is used, and the capacity of a slot zone."""

    commit: bytes
    core_mac: bytes
    context_check: bytes
    capacity: int

    def encode(self) -> bytes:
        return CHECK.pack(*self)


def read_check(stream: Reader, offset: int) -> CheckBlock:
    """The check block at `offset`. Raises FormatError."""
    if stream.size < offset + CHECK_SIZE:
        raise _truncated("check block")
    check = CheckBlock._make(CHECK.unpack(stream.view(offset, CHECK_SIZE)))
    if not 0 < check.capacity <= MAX_CAPACITY:
        raise FormatError(f"check block: a slot zone of {check.capacity} bytes")
    return check


class Slot(NamedTuple):
    """A data key closed for one recipient, and where to ask for it to be opened.

    `store` is the alias that the sealing configuration gave the key store, never an address.
    """

    kind: str
    store: str
    wrapped: Wrapped


class Zone(NamedTuple):
    """The slots of an object, at one generation.

    Attributes:
        skipped: kinds of slot that this release cannot read.
        raw: the zone as stored, up to its MAC, which covers it.
        mac: the stored MAC.
    """

    generation: int
    slots: tuple[Slot, ...]
    skipped: tuple[str, ...]
    raw: bytes
    mac: bytes


def encode_slots(slots: Sequence[Slot]) -> bytes:
    """The slots as they stand in a zone.

    Raises:
        TooLarge: too many, or one is too long.
        ConfigError: a name in one could not be read back.
    """
    if not 0 < len(slots) <= MAX_SLOTS:
        raise TooLarge(f"{len(slots)} slots; an object has 1 to {MAX_SLOTS}")
    leaves = [_leaf(slot) for slot in slots]
    encoded = canonical.encode(leaves)
    for slot, leaf in zip(slots, leaves, strict=True):
        if len(encoded) > MAX_SLOT and len(canonical.encode(leaf)) > MAX_SLOT:
            raise TooLarge(f"the slot for {slot.store} is longer than {MAX_SLOT} bytes")
        if not canonical.is_name(*leaf[1:6], leaf[7]):
            raise ConfigError(
                f"the slot for {slot.store!r} has a name that is not printable text in normal "
                f"form C, or is longer than {canonical.MAX_NAME} characters",
                hint="give the store and its key another name",
            )
    return encoded


def _leaf(slot: Slot) -> tuple[Any, ...]:
    """The elements of a slot of kind 0 in their order."""
    wrapped = slot.wrapped
    return (
        _LEAF,
        slot.kind,
        slot.store,
        wrapped.key_id,
        wrapped.version,
        wrapped.check_kind,
        wrapped.check_value,
        wrapped.algorithm,
        wrapped.blob,
    )


def default_capacity(used: int) -> int:
    """Twice what is used, rounded up to 1 KiB, so that recipients can be added in place."""
    return -(-2 * used // 1024) * 1024


def zone_size(capacity: int) -> int:
    """Bytes of a slot zone with room for `capacity` bytes of slots."""
    return ZONE_HEAD.size + capacity + ZONE_TAIL


def encode_zone(generation: int, slots: bytes, capacity: int) -> bytes:
    """A slot zone up to its MAC, which the caller appends. Raises TooLarge."""
    if len(slots) > capacity:
        raise TooLarge(
            f"the slots need {len(slots)} bytes, the zone has {capacity}",
            hint="rekey the object: a new one gets larger slot zones",
        )
    head = ZONE_HEAD.pack(generation, len(slots)) + slots.ljust(capacity, b"\0")
    return head + hashlib.sha256(head).digest()[:8]


def decode_zone(raw: bytes, capacity: int) -> Zone | None:
    """A slot zone, or None if it is torn (its checksum does not fit).

    Raises:
        FormatError: the checksum fits, but what it covers is not well-formed.
    """
    generation, used = ZONE_HEAD.unpack_from(raw)
    head, check = raw[:-ZONE_TAIL], raw[-ZONE_TAIL:-32]
    if hashlib.sha256(head).digest()[:8] != check:
        return None
    end = ZONE_HEAD.size + used
    if used > capacity or head.count(0, end) != capacity - used:
        raise FormatError("slot zone: its length field does not fit")
    leaves, skipped = _decode_slots(head[ZONE_HEAD.size : end])
    return Zone(generation, leaves, skipped, raw[:-32], raw[-32:])


def _decode_slots(raw: bytes) -> tuple[tuple[Slot, ...], tuple[str, ...]]:
    entries = canonical.parse(raw, "slots")
    if type(entries) is not tuple or not 0 < len(entries) <= MAX_SLOTS:
        raise FormatError(f"slots: 1 to {MAX_SLOTS} of them expected")
    leaves, skipped = [], []
    for entry in entries:
        if type(entry) is tuple and entry and type(entry[0]) is int and entry[0] != _LEAF:
            canonical.check(entry, "slots")
            skipped.append(f"slot kind {entry[0]}")
        else:
            leaves.append(_decode_leaf(entry))
        if len(raw) > MAX_SLOT and len(canonical.encode(entry)) > MAX_SLOT:
            raise FormatError(f"slots: one is longer than {MAX_SLOT} bytes")
    canonical.prove(entries, raw, "slots")  # all kinds are exact, so it is what the slots say
    return tuple(leaves), tuple(skipped)


_LEAF_KINDS = (int, str, str, str, str, str, bytes, str, bytes)


def _decode_leaf(entry: Any) -> Slot:
    fields = canonical.fields(entry, _LEAF_KINDS, "slot")
    _, kind, store, key_id, version, check_kind, check_value, algorithm, blob = fields
    canonical.check_names((kind, store, key_id, version, check_kind, algorithm), "slot")
    return Slot(kind, store, Wrapped(key_id, version, check_kind, check_value, algorithm, blob))


def read_zones(stream: Reader, offset: int, capacity: int) -> list[Zone]:
    """The slot zones from `offset` that are whole, the higher generation first.

    Raises:
        FormatError: neither is.
    """
    size = zone_size(capacity)
    if stream.size < offset + 2 * size:
        raise _truncated("slot zones")
    pair = bytes(stream.view(offset, 2 * size))
    first, second = pair[:size], pair[size:]
    if first == second:
        zone = decode_zone(first, capacity)
        zones = [zone, zone] if zone else []
    else:
        zones = _whole_zones((first, second), capacity)
    if not zones:
        raise FormatError("both slot zones are damaged", hint="restore an older copy")
    return zones


def _whole_zones(pair: Sequence[bytes], capacity: int) -> list[Zone]:
    """Those of two different zones that are whole and well-formed, the newer first."""
    zones: list[Zone] = []
    problem: FormatError | None = None
    for raw in pair:
        try:
            zone = decode_zone(raw, capacity)
        except FormatError as error:
            problem = error
        else:
            zones += [zone] if zone else []
    if not zones and problem:
        raise problem
    return sorted(zones, key=lambda zone: -zone.generation)
