"""Part 0 of a sealed object: names, types and true lengths, which nobody reads without a key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from tegmen import canonical
from tegmen.errors import FormatError, TooLarge
from tegmen.interfaces import Part

BLOCK = 256
_PART_KINDS = ("header", "frame", "data")


def runs(values: Sequence[int | str]) -> list[list[int | str]]:
    """Run lengths of `values`: [[count, value], ...]."""
    if len(values) == 1:
        return [[1, values[0]]]
    return [[sum(1 for _ in group), value] for value, group in groupby(values)]


def expand(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The values that `runs` was made of."""
    if len(pairs) == 1:
        return [pairs[0][1]] * pairs[0][0]
    return [value for count, value in pairs for _ in range(count)]


class Entry(NamedTuple):
    """One item: a source object and the parts that hold it, which follow the previous item's.

    Attributes:
        name, media_type, source, note: of the item.
        kinds: runs of (count, kind) of its parts; 0 header, 1 frame, 2 data.
    """

    name: str
    media_type: str
    source: str
    note: bytes
    kinds: tuple[tuple[int, int], ...]

    @property
    def part_count(self) -> int:
        return _count(self.kinds)


class Manifest(NamedTuple):
    """What part 0 says.

    Attributes:
        items: at least one.
        lengths: runs of (count, true length) over all parts.
        carrier_note: what the carrier keeps for its reader.
    """

    items: tuple[Entry, ...]
    lengths: tuple[tuple[int, int], ...]
    carrier_note: bytes


def kinds_of(parts: Sequence[Part]) -> tuple[tuple[int, int], ...]:
    """Runs of (count, kind number) of `parts`."""
    found = runs([part.kind for part in parts])
    return tuple([(int(count), _PART_KINDS.index(str(kind))) for count, kind in found])


def encode(manifest: Manifest) -> bytes:
    """The bytes of part 0: u32 length, CBOR, zeros up to a multiple of 256."""
    body = canonical.encode(_map(manifest))
    size = -(-(4 + len(body)) // BLOCK) * BLOCK
    return (len(body).to_bytes(4, "big") + body).ljust(size, b"\0")


def _map(manifest: Manifest) -> dict[int, Any]:
    """The fields of Manifest and of Entry in their order."""
    items = [dict(enumerate(item)) for item in manifest.items]
    return {0: items, 1: manifest.lengths, 2: manifest.carrier_note}


def decode(raw: bytes, geometry: Sequence[tuple[int, int]]) -> Manifest:
    """The manifest of a decrypted part 0, checked against the header's geometry.

    Raises:
        FormatError: not well-formed, or it does not fit the geometry.
    """
    end = 4 + int.from_bytes(raw[:4], "big")
    if end > len(raw) or raw.count(0, end) != len(raw) - end:
        raise FormatError("manifest: its length or padding is wrong")
    body = raw[4:end]
    value = canonical.parse(body, "manifest")
    items, lengths, note = canonical.record(value, (list, list, bytes), "manifest")
    manifest = Manifest((*map(_entry, items),), canonical.runs(lengths, "manifest"), note)
    _check(manifest, geometry)
    canonical.prove(_map(manifest), body, "manifest")
    return manifest


def _entry(value: object) -> Entry:
    name, media_type, source, note, kinds = canonical.record(
        value, (str, str, str, bytes, list), "manifest item"
    )
    canonical.check_texts((name, media_type, source), "manifest item")
    entry = Entry(name, media_type, source, note, canonical.runs(kinds, "manifest item"))
    for _, kind in entry.kinds:
        if kind >= len(_PART_KINDS):
            raise FormatError("manifest item: an unknown kind of part")
    return entry


def _check(manifest: Manifest, geometry: Sequence[tuple[int, int]]) -> None:
    parts = _count(geometry)
    if not manifest.items or sum([_count(item.kinds) for item in manifest.items]) != parts:
        raise FormatError("manifest: its items do not fit the header's part count")
    if manifest.lengths == geometry:
        return
    if _count(manifest.lengths) != parts:
        raise FormatError("manifest: its lengths do not fit the header's part count")
    if not _within(manifest.lengths, geometry):
        raise FormatError("manifest: a part is longer than what is stored of it")


def _count(pairs: Sequence[tuple[int, int]]) -> int:
    """How many values the runs stand for."""
    if len(pairs) == 1:
        return pairs[0][0]
    return sum([count for count, _ in pairs])


def _within(lengths: Sequence[tuple[int, int]], geometry: Sequence[tuple[int, int]]) -> bool:
    """Whether every true length is at most the stored one; walks runs, not parts."""
    stored = iter(geometry)
    left, most = 0, 0
    for count, length in lengths:
        while count:
            if not left:
                left, most = next(stored)
            if length > most:
                return False
            step = min(left, count)
            left, count = left - step, count - step  # noqa: PLW2901  # walks two run lists at once
    return True


def check_name(name: str) -> str:
    """`name`, if a file in the output folder may have it.

    Raises:
        FormatError: it would leave the folder, or hide in it.
    """
    if name in {"", ".", ".."} or len(name.encode()) > 255 or not name.isprintable():
        raise FormatError(f"the sealed name {name!r} cannot name a file", hint="give -o FILE")
    if "/" in name or "\\" in name or name.endswith((".", " ")) or ":" in name:
        raise FormatError(
            f"the sealed name {name!r} would leave the output folder", hint="give -o FILE"
        )
    return name


def stored_lengths(parts: Sequence[Part], padded: Sequence[int] | None) -> Sequence[int]:
    """Bytes of each part as stored: as the carrier planned, else frames as long as the longest.

    Raises:
        TooLarge: the carrier planned less room than a part needs.
    """
    if padded is not None:
        if len(padded) != len(parts) or any(
            room < part.length for room, part in zip(padded, parts, strict=True)
        ):
            raise TooLarge("the carrier planned less room than a part needs")
        return padded
    if len(parts) == 1:
        return (parts[0].length,)
    longest = max((part.length for part in parts if part.kind == "frame"), default=0)
    return [longest if part.kind == "frame" else part.length for part in parts]
