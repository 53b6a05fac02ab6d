"""The header: what is encoded reads back; nothing hostile passes, or escapes as another error."""

from __future__ import annotations

import os
from typing import Any

import cbor2
import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from tegmen import canonical, envelope
from tegmen.errors import (
    ConfigError,
    FormatError,
    NotSealed,
    TegmenError,
    TooLarge,
    UnknownVersion,
)
from tegmen.files import MemoryReader
from tegmen.interfaces import Wrapped

CORE = envelope.Core(
    suite=("aes-256-gcm",),
    manifest_cipher="aes-256-gcm",
    mac=None,
    source="file",
    carrier="tgm",
    segment_size=1 << 20,
    tag_placement="inline",
    geometry=((1, 100), (200, 524288)),
    salt=bytes(range(32)),
    object_key_id=bytes(range(16)),
    public=(("site", "north"),),
    required=("purpose", "trust"),
    profile="hospital-default",
    policy_digest=bytes(32),
    manifest_size=272,
)
SLOT = envelope.Slot(
    "file", "local", Wrapped("images", "1", "hmac-sha-256", b"12345678", "AES-256-GCM", b"x" * 60)
)


LEAF = (0, "file", "local", "images", "1", "hmac-sha-256", b"12345678", "AES-256-GCM", b"x" * 60)


def read(raw: bytes) -> envelope.Core:
    return envelope.read_core(MemoryReader(raw))[0]


def altered(key: int, value: object) -> bytes:
    fields = [*canonical.decode(envelope.encode_core(CORE)[16:], "core")]
    fields[key : key + 1] = [value]
    return with_body(canonical.encode(fields))


def with_body(body: bytes) -> bytes:
    return envelope.PRELUDE.pack(envelope.MAGIC, 0, b"\0\0\0", len(body)) + body


def test_a_core_reads_back_with_the_bytes_that_were_read() -> None:
    raw = envelope.encode_core(CORE)
    core, as_read = envelope.read_core(MemoryReader(raw + b"more"))
    assert core == CORE
    assert as_read == raw
    assert core.part_count == 201


def test_what_is_not_sealed_is_told_from_what_is_damaged() -> None:
    raw = envelope.encode_core(CORE)
    with pytest.raises(NotSealed):
        read(b"")
    with pytest.raises(NotSealed):
        read(b"\x88" + raw[1:])
    with pytest.raises(FormatError, match="ends inside its core"):
        read(raw[:-1])
    with pytest.raises(FormatError, match="ends inside its prelude"):
        read(raw[:15])


def test_a_newer_version_is_named() -> None:
    raw = bytearray(envelope.encode_core(CORE))
    raw[8] = 7
    with pytest.raises(UnknownVersion, match="version 7"):
        read(bytes(raw))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(0, [], id="no cipher"),
        pytest.param(0, [1], id="a cipher that is no text"),
        pytest.param(5, envelope.MAX_SEGMENT + 1, id="a segment of more than 64 MiB"),
        pytest.param(6, 2, id="unknown tag placement"),
        pytest.param(7, 200, id="a part count that does not fit"),
        pytest.param(7, None, id="no part count"),
        pytest.param(8, [], id="no geometry"),
        pytest.param(8, [1, 5, 200, 5], id="runs not joined"),
        pytest.param(8, [201, (1 << 53) // 200], id="a geometry that overflows"),
        pytest.param(9, bytes(31), id="a short salt"),
        pytest.param(11, ["b", "1", "a", "2"], id="public context out of order"),
        pytest.param(11, ["a", "1", "a", "2"], id="public context twice"),
        pytest.param(11, ["a"], id="public context that is no pair"),
        pytest.param(12, ["trust", "purpose"], id="required context out of order"),
        pytest.param(15, envelope.MAX_MANIFEST + 1, id="a manifest of more than 4 MiB"),
        pytest.param(16, 1, id="an unknown element"),
        pytest.param(3, b"file", id="bytes where text belongs"),
        pytest.param(5, -1, id="a negative segment size"),
        pytest.param(5, True, id="a boolean segment size"),
        pytest.param(6, -1, id="a negative tag placement"),
        pytest.param(8, [202, 5, -1, 6], id="a negative count"),
        pytest.param(8, [201, -5], id="a negative length"),
        pytest.param(8, [True, 5, 200, 6], id="a boolean count"),
        pytest.param(15, -1, id="a negative manifest size"),
        pytest.param(15, 1 << 64, id="a manifest size of more than eight bytes"),
        *(pytest.param(key, "e\u0301", id=f"text in field {key} not in NFC") for key in (1, 3, 4)),
        pytest.param(0, ["e\u0301"], id="a cipher not in NFC"),
        pytest.param(2, "e\u0301", id="a MAC not in NFC"),
        pytest.param(11, ["a", "e\u0301"], id="public context not in NFC"),
        pytest.param(12, ["e\u0301"], id="required context not in NFC"),
        pytest.param(13, "e\u0301", id="a profile not in NFC"),
        pytest.param(0, "aes-256-gcm", id="a suite that is no array"),
        pytest.param(2, 0, id="a MAC that is a number"),
        pytest.param(2, b"", id="a MAC that is bytes"),
        pytest.param(8, [[1, 100], [200, 524288]], id="a geometry of pairs"),
        pytest.param(8, [1, 100, 200], id="a geometry that ends in a count"),
        pytest.param(11, [], id="empty public context that is not null"),
        pytest.param(11, "site", id="public context that is text"),
        pytest.param(11, ["site", 1], id="a public value that is no text"),
        pytest.param(12, [], id="empty required context that is not null"),
        pytest.param(12, "trust", id="required context that is text"),
        *(
            pytest.param(key, value, id=f"a terminal escape in field {key}")
            for key, value in [
                (0, ["\x1b]0;x\x07"]),
                (1, "a\nINFO all good"),
                *((2, "\x1b[2J"), (3, "\x9b2J"), (4, "\u202e")),
                *((11, ["a", "\x1b[2J"]), (11, ["\0", "a"]), (12, ["\r"]), (13, "x\x7f")),
            ]
        ),
        pytest.param(13, "x" * 257, id="a profile of 257 characters"),
    ],
)
def test_a_core_that_says_something_else_is_refused(key: int, value: object) -> None:
    with pytest.raises(FormatError):
        read(altered(key, value))


@pytest.mark.parametrize(
    ("honest", "other"),
    [
        pytest.param(b"\x90\x81", b"\x98\x10\x81", id="a long form of the array's length"),
        pytest.param(b"\x90\x81", b"\x9f\x81", id="an indefinite array"),
        pytest.param(b"\x90\x81", b"\xd9\xd9\xf7\x90\x81", id="a tag before the array"),
        pytest.param(b"\x00\x18\xc9", b"\x00\x19\x00\xc9", id="a long form of the part count"),
        pytest.param(b"\x00\x18\xc9", b"\x00\xc2\x41\xc9", id="the part count as a bignum"),
        pytest.param(b"\x00\x18\xc9", b"\xf4\x18\xc9", id="false where 0 belongs"),
        pytest.param(b"\x00\x18\xc9", b"\xf9\x00\x00\x18\xc9", id="0.0 where 0 belongs"),
        pytest.param(b"gcm\xf6", b"gcm\xf7", id="undefined where null belongs"),
    ],
)
def test_a_core_in_another_encoding_is_refused(honest: bytes, other: bytes) -> None:
    body = envelope.encode_core(CORE)[16:]
    assert body.count(honest) == 1
    with pytest.raises(FormatError, match="core"):
        read(with_body(body.replace(honest, other)))


@pytest.mark.parametrize("count", [0, 15, 17])
def test_another_number_of_elements_is_refused(count: int) -> None:
    fields = canonical.decode(envelope.encode_core(CORE)[16:], "core")
    with pytest.raises(FormatError, match=f"core: {count} elements, 16 expected"):
        read(with_body(canonical.encode((*fields, None)[:count])))


def test_a_map_is_refused() -> None:
    fields = canonical.decode(envelope.encode_core(CORE)[16:], "core")
    with pytest.raises(FormatError, match="array"):
        read(with_body(cbor2.dumps(dict(enumerate(fields)))))


@pytest.mark.parametrize(
    "empty", [{"public": ()}, {"required": ()}, {"public": (), "required": ()}]
)
def test_a_core_without_context_reads_back(empty: dict[str, Any]) -> None:
    core = CORE._replace(**empty)
    assert read(envelope.encode_core(core)) == core


@pytest.mark.parametrize(
    "changed", [{"profile": "a\nb"}, {"public": (("site", "x" * 257),)}, {"required": ("\ud800",)}]
)
def test_a_name_that_could_not_be_read_back_is_not_sealed(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="printable"):
        envelope.encode_core(CORE._replace(**changed))


@given(st.data())
def test_what_a_core_is_read_from_is_deterministic_cbor(data: st.DataObject) -> None:
    """The typed reader is at least as strict as the general one."""
    body = bytearray(envelope.encode_core(CORE)[16:])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(with_body(bytes(body)))
    except FormatError:
        return
    canonical.decode(bytes(body), "core")


def test_too_many_parts_of_different_lengths_do_not_fit() -> None:
    geometry = tuple((1, 1000 + number) for number in range(20_000))
    with pytest.raises(TooLarge, match="header"):
        envelope.encode_core(CORE._replace(geometry=geometry))


@given(st.data())
def test_damaged_headers_give_only_typed_errors(data: st.DataObject) -> None:
    raw = bytearray(envelope.encode_core(CORE))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(8, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    try:
        core = read(bytes(raw[:cut]))
    except TegmenError:
        return
    assert envelope.encode_core(core) == raw[: len(envelope.encode_core(core))]


def zone(generation: int = 1, slots: tuple[envelope.Slot, ...] = (SLOT,)) -> bytes:
    encoded = envelope.encode_slots(slots)
    return envelope.encode_zone(generation, encoded, 1024) + b"M" * 32


def test_zones_read_back_the_newer_first() -> None:
    zones = envelope.read_zones(MemoryReader(b"??" + zone(1) + zone(2)), 2, 1024)
    assert [entry.generation for entry in zones] == [2, 1]
    assert zones[0].slots == (SLOT,)
    assert zones[0].mac == b"M" * 32


@pytest.mark.parametrize("torn", [0, 1])
def test_one_torn_zone_leaves_the_other(torn: int) -> None:
    pair = [bytearray(zone(1)), bytearray(zone(2))]
    pair[torn][500] ^= 1
    zones = envelope.read_zones(MemoryReader(b"".join(pair)), 0, 1024)
    assert [entry.generation for entry in zones] == [2 - torn if torn else 2]


def test_two_torn_zones_are_an_error() -> None:
    raw = bytearray(zone() + zone())
    raw[40] ^= 1
    raw[40 + len(raw) // 2] ^= 1
    with pytest.raises(FormatError, match="both slot zones"):
        envelope.read_zones(MemoryReader(raw), 0, 1024)


def test_a_zone_that_ends_early_is_an_error() -> None:
    with pytest.raises(FormatError, match="ends inside its slot zones"):
        envelope.read_zones(MemoryReader((zone() + zone())[:-1]), 0, 1024)


def test_slots_of_an_unknown_kind_are_skipped_and_named() -> None:
    encoded = canonical.encode([[1, 2, []], LEAF])
    raw = envelope.encode_zone(1, encoded, 1024) + bytes(32)
    first = envelope.decode_zone(raw, 1024)
    assert first is not None
    assert first.slots == (SLOT,)
    assert first.skipped == ("slot kind 1",)


def decoded(slots: object) -> envelope.Zone | None:
    raw = envelope.encode_zone(1, canonical.encode(slots), 8192) + bytes(32)
    return envelope.decode_zone(raw, 8192)


@pytest.mark.parametrize(
    "slots",
    [
        pytest.param([], id="none"),
        pytest.param({0: 0}, id="no array"),
        pytest.param([1], id="a slot that is no array"),
        pytest.param([[]], id="a slot without a kind"),
        pytest.param([[*LEAF, 1]], id="an unknown element"),
        pytest.param([LEAF[:-1]], id="a missing element"),
        pytest.param([[*LEAF[:8], "x"]], id="text where bytes belong"),
        pytest.param([[*LEAF[:3], "e\u0301", *LEAF[4:]]], id="a key id not in NFC"),
        *(
            pytest.param([[*LEAF[:n], "\x1b[2J", *LEAF[n + 1 :]]], id=f"an escape in field {n}")
            for n in (1, 2, 3, 4, 5, 7)
        ),
        pytest.param([[*LEAF[:4], "1" * 257, *LEAF[5:]]], id="a version of 257 characters"),
        pytest.param([[False, *LEAF[1:]]], id="a boolean kind"),
        pytest.param([[1, -2]], id="a negative integer in an unknown kind"),
        pytest.param([[1, {0: 2}]], id="a map in an unknown kind"),
        pytest.param([[1, 1.5]], id="a float in an unknown kind"),
        pytest.param([[-1]], id="a negative kind"),
    ],
)
def test_slots_that_are_not_of_the_format_are_refused(slots: object) -> None:
    with pytest.raises(FormatError, match="slot"):
        decoded(slots)


@pytest.mark.parametrize("start", [LEAF[:8], (1,)], ids=["leaf", "unknown kind"])
def test_a_slot_of_more_than_4096_bytes_is_refused(start: tuple[object, ...]) -> None:
    assert decoded([LEAF, [*start, bytes(3900)], LEAF])
    with pytest.raises(FormatError, match="longer than 4096"):
        decoded([LEAF, [*start, bytes(4096)]])


def test_a_slot_that_could_not_be_read_back_is_not_sealed() -> None:
    for changed in (SLOT._replace(store="a\tb"), SLOT._replace(kind="x" * 257)):
        with pytest.raises(ConfigError, match="printable"):
            envelope.encode_slots([changed])
    with pytest.raises(ConfigError, match="printable"):
        envelope.encode_slots([SLOT._replace(wrapped=evolve(SLOT.wrapped, version="\x1b"))])


@given(st.data())
def test_what_slots_are_read_from_is_deterministic_cbor(data: st.DataObject) -> None:
    encoded = bytearray(canonical.encode([LEAF, [1, 5, [b"", None]]]))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    raw = envelope.encode_zone(1, bytes(encoded), 1024) + bytes(32)
    try:
        envelope.decode_zone(raw, 1024)
    except FormatError:
        return
    canonical.decode(bytes(encoded), "slots")


@pytest.mark.parametrize("used", [0, 5, 1025, 0xFFFFFFFF])
def test_a_wrong_length_of_slots_is_refused(used: int) -> None:
    import hashlib

    raw = bytearray(zone()[: -envelope.ZONE_TAIL])
    raw[8:12] = used.to_bytes(4, "big")
    raw += hashlib.sha256(raw).digest()[:8] + bytes(32)
    with pytest.raises(FormatError):
        envelope.decode_zone(bytes(raw), 1024)


def test_more_slots_than_a_zone_has_room_for() -> None:
    many = envelope.encode_slots([SLOT] * 32)
    with pytest.raises(TooLarge, match="the zone has 1024"):
        envelope.encode_zone(2, many, 1024)
    with pytest.raises(TooLarge, match="1 to 32"):
        envelope.encode_slots([SLOT] * 33)
    with pytest.raises(TooLarge, match="longer than 4096"):
        wrapped = evolve(SLOT.wrapped, blob=os.urandom(5000))
        envelope.encode_slots([SLOT._replace(wrapped=wrapped)])


def test_the_capacity_is_bounded() -> None:
    check = envelope.CheckBlock(bytes(32), bytes(32), bytes(32), 1024)
    assert envelope.read_check(MemoryReader(check.encode()), 0) == check
    for capacity in (0, envelope.MAX_CAPACITY + 1, 0xFFFFFFFF):
        with pytest.raises(FormatError, match="slot zone of"):
            envelope.read_check(MemoryReader(check._replace(capacity=capacity).encode()), 0)
