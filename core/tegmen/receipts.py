"""What callers are told: of an object sealed or opened, and of one only looked at."""

from __future__ import annotations

from attrs import frozen

from tegmen.envelope import Slot
from tegmen.opening import Header, Opened


@frozen(slots=False)  # made for every object, and slots would double what that takes
class Receipt:
    """What was sealed, opened or verified, and how.

    Attributes:
        object_id: H, hexadecimal: the identity of the sealed object.
        name: the source's base name; it may tell who the patient is.
        source, carrier, cipher: kinds and names.
        profile: that it was sealed with.
        rule: that chose the profile; empty when it was opened.
        keys: `store/key@version` of every slot (sealed), or of the one used (opened).
        parts: how many, without the manifest.
        size: bytes of the original object.
        sealed_size: bytes of the sealed one.
        verified: whether every segment was decrypted and checked; when sealed, also whether
            every key of `keys` that is not in `unproved` gave the data key back.
        warnings: damage that did not matter, and what was changed in the part in clear.
        unproved: those of `keys` that closed the data key and cannot open it from here, as a
            recovery key whose private half is in a safe; empty when nothing was verified.
    """

    object_id: str
    name: str
    source: str
    carrier: str
    cipher: str
    profile: str
    rule: str
    keys: tuple[str, ...]
    parts: int
    size: int
    sealed_size: int
    verified: bool
    warnings: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()


@frozen
class Inspection:
    """What a sealed object says of itself to anyone. Nothing in it is verified.

    Attributes:
        object_id: H, hexadecimal.
        carrier: the kind that it was found in.
        says_carrier, source, cipher, manifest_cipher, mac, profile: from the header.
        segment_size: bytes; 0, one segment is one part.
        parts: how many, without the manifest.
        stored: bytes of plaintext with padding.
        public: context in clear.
        required: names of the context that opening needs.
        slots: `store/key@version (algorithm)` of each recipient.
        generation: of the newest slot zone.
        zones: how many of the two slot zones are whole.
    """

    object_id: str
    carrier: str
    says_carrier: str
    source: str
    cipher: str
    manifest_cipher: str
    mac: str | None
    profile: str
    segment_size: int
    parts: int
    stored: int
    public: tuple[tuple[str, str], ...]
    required: tuple[str, ...]
    slots: tuple[str, ...]
    generation: int
    zones: int


def slot_name(slot: Slot) -> str:
    """`store/key@version`."""
    return f"{slot.store}/{slot.wrapped.key_id}@{slot.wrapped.version}"


def opened_receipt(
    opened: Opened, object_id: str, used: tuple[str, ...], *, size: int, sealed_size: int
) -> Receipt:
    """What there is to say of an object that was opened, and verified whole."""
    core = opened.header.core
    return Receipt(
        object_id=object_id,
        name=opened.name,
        source=core.source,
        carrier=core.carrier,
        cipher=core.suite[0],
        profile=core.profile,
        rule="",
        keys=used,
        parts=len(opened.parts.lengths),
        size=size,
        sealed_size=sealed_size,
        verified=True,
        warnings=opened.warnings,
    )


def inspection(carrier: str, header: Header) -> Inspection:
    """What a header says, found in a carrier of that kind."""
    core, zone = header.core, header.zones[0]
    return Inspection(
        object_id=header.hash.hex(),
        carrier=carrier,
        says_carrier=core.carrier,
        source=core.source,
        cipher=" + ".join(core.suite),
        manifest_cipher=core.manifest_cipher,
        mac=core.mac,
        profile=core.profile,
        segment_size=core.segment_size,
        parts=core.part_count,
        stored=sum(count * length for count, length in core.geometry),
        public=core.public,
        required=core.required,
        slots=tuple(f"{slot_name(slot)} ({slot.wrapped.algorithm})" for slot in zone.slots),
        generation=zone.generation,
        zones=len(header.zones),
    )
