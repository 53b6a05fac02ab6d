"""Part 0 of a sealed object: names, types and true lengths, which nobody reads without a key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

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
        return sum(count for count, _ in self.kinds)


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
    return tuple(
        (int(count), _PART_KINDS.index(str(kind)))
        for count, kind in runs([part.kind for part in parts])
    )


def encode(manifest: Manifest) -> bytes:
    """The bytes of part 0: u32 length, CBOR, zeros up to a multiple of 256."""
    body = canonical.encode(
        {
            0: [
                {0: item.name, 1: item.media_type, 2: item.source, 3: item.note, 4: item.kinds}
                for item in manifest.items
            ],
            1: manifest.lengths,
            2: manifest.carrier_note,
        }
    )
    size = -(-(4 + len(body)) // BLOCK) * BLOCK
    return (len(body).to_bytes(4, "big") + body).ljust(size, b"\0")


def decode(raw: bytes, geometry: Sequence[tuple[int, int]]) -> Manifest:
    """The manifest of a decrypted part 0, checked against the header's geometry.

    Raises:
        FormatError: not well-formed, or it does not fit the geometry.
    """
    length = int.from_bytes(raw[:4], "big")
    body, padding = raw[4 : 4 + length], raw[4 + length :]
    if len(body) != length or padding.count(0) != len(padding):
        raise FormatError("manifest: its length or padding is wrong")
    fields = canonical.record(canonical.decode(body, "manifest"), (list, list, bytes), "manifest")
    items = tuple(_entry(entry) for entry in fields[0])
    manifest = Manifest(items, canonical.runs(fields[1], "manifest"), fields[2])
    _check(manifest, geometry)
    return manifest


def _entry(value: object) -> Entry:
    name, media_type, source, note, kinds = canonical.record(
        value, (str, str, str, bytes, list), "manifest item"
    )
    entry = Entry(name, media_type, source, note, canonical.runs(kinds, "manifest item"))
    for _, kind in entry.kinds:
        if kind >= len(_PART_KINDS):
            raise FormatError("manifest item: an unknown kind of part")
    return entry


def _check(manifest: Manifest, geometry: Sequence[tuple[int, int]]) -> None:
    parts = sum(count for count, _ in geometry)
    if not manifest.items or sum(item.part_count for item in manifest.items) != parts:
        raise FormatError("manifest: its items do not fit the header's part count")
    if sum(count for count, _ in manifest.lengths) != parts:
        raise FormatError("manifest: its lengths do not fit the header's part count")
    if not _within(manifest.lengths, geometry):
        raise FormatError("manifest: a part is longer than what is stored of it")


def _within(lengths: Sequence[tuple[int, int]], geometry: Sequence[tuple[int, int]]) -> bool:
    """Whether every true length is at most the stored one; walks runs, not parts."""
    if lengths == geometry:
        return True
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
