"""Part 0 of a sealed object: names, types and true lengths, which nobody reads without a key."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, groupby, repeat
from typing import Any, NamedTuple, overload

from tegmen import canonical
from tegmen.envelope import MAX_MANIFEST
from tegmen.errors import FormatError, TooLarge
from tegmen.interfaces import Part

BLOCK = 256
_PART_KINDS = ("header", "frame", "data")
_DEVICES = {
    *("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"),
    *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"),
}


def runs(values: Sequence[int | str]) -> list[list[int | str]]:
    """Run lengths of `values`: [[count, value], ...]."""
    if len(values) == 1:
        return [[1, values[0]]]
    return [[sum(1 for _ in group), value] for value, group in groupby(values)]


class Expanded(Sequence[int]):
    """The values that `runs` was made of, in no more memory than the runs take."""

    __slots__ = ("_ends", "_pairs")

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        self._pairs = pairs
        self._ends = [*accumulate([count for count, _ in pairs])]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable([repeat(value, count) for count, value in self._pairs])

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return self._pairs[bisect_right(self._ends, number)][1]


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
    """The bytes of part 0: u32 length, CBOR, zeros up to a multiple of 256.

    Raises:
        TooLarge: over 4 MiB, for instance 700,000 parts of different lengths.
    """
    body = canonical.encode(_fields(manifest))
    size = -(-(4 + len(body)) // BLOCK) * BLOCK
    if size + BLOCK > MAX_MANIFEST:  # room for any tag
        raise TooLarge(
            f"the manifest would need {size} bytes, {MAX_MANIFEST - BLOCK} is the most",
            hint="split the object into files with fewer frames",
        )
    return (len(body).to_bytes(4, "big") + body).ljust(size, b"\0")


def _fields(manifest: Manifest) -> tuple[Any, ...]:
    """The fields of Manifest and of Entry in their order."""
    items = [(*item[:4], canonical.flat(item.kinds)) for item in manifest.items]
    return (items, canonical.flat(manifest.lengths), manifest.carrier_note)


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
    items, lengths, note = canonical.fields(value, (tuple, tuple, bytes), "manifest")
    if len(items) != 1:
        raise FormatError(f"manifest: {len(items)} items, 1 expected")
    manifest = Manifest((*map(_entry, items),), canonical.runs(lengths, "manifest"), note)
    _check(manifest, geometry)
    canonical.prove(value, body, "manifest")  # all kinds are exact: it is what the manifest says
    return manifest


def _entry(value: object) -> Entry:
    name, media_type, source, note, kinds = canonical.fields(
        value, (str, str, str, bytes, tuple), "manifest item"
    )
    for text in (name, media_type, source):
        canonical.check_text(text, "manifest item")
    entry = Entry(name, media_type, source, note, canonical.runs(kinds, "manifest item"))
    for _, kind in entry.kinds:
        if kind >= len(_PART_KINDS):
            raise FormatError("manifest item: an unknown kind of part")
    return entry


def _check(manifest: Manifest, geometry: Sequence[tuple[int, int]]) -> None:
    parts = _count(geometry)
    if sum([_count(item.kinds) for item in manifest.items]) != parts:
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
    """`name`, if a file of that name would lie in the output folder, in sight, on any system.

    Raises:
        FormatError: it could leave the folder, hide in it, be taken for an option or a device,
            or look like another name. The message leaves it out: it may tell who the patient is.
    """
    problem = _problem(name)
    if problem:
        raise FormatError(f"the sealed name {problem}", hint="give -o FILE")
    return name


def _problem(name: str) -> str:
    """Why `name` is no safe name of a file, or nothing."""
    if name in {"", ".", ".."} or not _is_shown(name):
        return "is empty, too long or not printable"
    if "/" in name or "\\" in name or ":" in name:
        return "would leave the output folder"
    if name.startswith((".", "-")):
        return "begins with a dot, which hides it, or like an option"
    if name.endswith((".", " ")) or name.split(".", maxsplit=1)[0].rstrip().upper() in _DEVICES:
        return "stands for a device, or for another name, on some systems"
    return ""


def _is_shown(name: str) -> bool:
    return name.isprintable() and len(name.encode()) <= 255  # printable: it can be encoded


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
