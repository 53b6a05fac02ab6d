"""Parts to encrypted segments and back: nonces, associated data, MACs, padding, tag placement."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from tegmen.errors import FormatError, InputError, PluginBroken, SegmentAltered, TooLarge
from tegmen.files import GrowingSink
from tegmen.interfaces import Cipher, Part, Reader, SegmentCipher, Sink, TagPlacement
from tegmen.keys import KeySchedule, part_label, same

NONCE = struct.Struct(">B3xQ")
ASSOCIATED_DATA = struct.Struct(">IQBQ")
MAC_NAME = "hmac-sha-256"
MAC_SIZE = 32


class Closer:
    """The cipher, and the MAC where the cipher has none, under the keys of one part."""

    __slots__ = ("_cipher", "_mac_key", "_name", "_pad", "_part")

    def __init__(
        self, cipher: SegmentCipher, mac_key: bytes | None, part: int, name: str, nonce_size: int
    ) -> None:
        self._cipher = cipher
        self._mac_key = mac_key
        self._part = part
        self._name = name
        self._pad = bytes(nonce_size - NONCE.size)

    def _mac(self, associated_data: bytes, ciphertext: memoryview) -> bytes:
        assert self._mac_key is not None  # noqa: S101  # callers looked
        mac = hmac.new(self._mac_key, associated_data, sha256)
        mac.update(ciphertext)
        return mac.digest()

    def encrypt(self, segment: int, final: bool, data: memoryview, out: memoryview) -> None:
        """Fill `out` with ciphertext and tag. Raises PluginBroken if the cipher does not."""
        nonce = NONCE.pack(final, segment) + self._pad
        associated_data = ASSOCIATED_DATA.pack(self._part, segment, final, len(data))
        if self._mac_key is None:
            written = self._cipher.encrypt_into(nonce, data, associated_data, out)
        else:
            ciphertext = out[:-MAC_SIZE]
            written = self._cipher.encrypt_into(nonce, data, associated_data, ciphertext)
            out[-MAC_SIZE:] = self._mac(associated_data, ciphertext)
            written += MAC_SIZE
        if written != len(out):
            raise PluginBroken(
                f"cipher {self._name} wrote {written} bytes where it declared {len(out)}",
                hint="report it to the plugin's authors; nothing was sealed",
            )

    def decrypt(self, segment: int, final: bool, data: memoryview, out: memoryview) -> None:
        """Fill `out` with plaintext, or leave it wiped.

        Raises:
            SegmentAltered: the tag or MAC does not fit.
        """
        nonce = NONCE.pack(final, segment) + self._pad
        associated_data = ASSOCIATED_DATA.pack(self._part, segment, final, len(out))
        try:
            if self._mac_key is None:
                written = self._cipher.decrypt_into(nonce, data, associated_data, out)
            else:
                ciphertext = data[:-MAC_SIZE]
                if not same(self._mac(associated_data, ciphertext), bytes(data[-MAC_SIZE:])):
                    raise InvalidTag
                written = self._cipher.decrypt_into(nonce, ciphertext, associated_data, out)
        except InvalidTag:
            out[:] = bytes(len(out))
            raise SegmentAltered(
                f"segment {segment} of part {self._part} fails its tag",
                hint="the object was altered or damaged; fetch or restore another copy",
            ) from None
        if written != len(out):
            out[:] = bytes(len(out))
            raise PluginBroken(f"cipher {self._name} gave {written} bytes, not {len(out)}")


class Suite:
    """A cipher with the MAC that it needs, if any."""

    __slots__ = ("cipher", "info", "mac", "tag_size")

    def __init__(self, cipher: Cipher) -> None:
        self.cipher = cipher
        self.info = cipher.info
        self.mac = None if self.info.tag_size else MAC_NAME
        self.tag_size = self.info.tag_size or MAC_SIZE

    def overhead(self, length: int) -> int:
        """Bytes that a segment of `length` needs beyond it: what spills over, and the tag."""
        return self.cipher.ciphertext_length(length) - length + self.tag_size

    def manifest_closer(self, schedule: KeySchedule) -> Closer:
        """For part 0."""
        key = schedule.manifest_key(self.info.key_size)
        return Closer(self.cipher.start(key), None, 0, self.info.name, self.info.nonce_size)

    def binder(self, schedule: KeySchedule, header: bytes, context: bytes) -> Binder:
        """For parts 1 and up of the object with that H and X."""
        return Binder(self, schedule, part_label(header, context, 0, self.info.name))


class Binder:
    """Makes the Closer of each part of one object."""

    __slots__ = ("_label", "_schedule", "suite")

    def __init__(self, suite: Suite, schedule: KeySchedule, label: bytes) -> None:
        self.suite = suite
        self._schedule = schedule
        self._label = label

    def closer(self, part: int) -> Closer:
        suite, extra = self.suite, self._label + part.to_bytes(4, "big")
        key = self._schedule.expand(b"cipher", extra, suite.info.key_size)
        mac_key = self._schedule.expand(b"mac", extra) if suite.mac else None
        cipher = suite.cipher.start(key)
        return Closer(cipher, mac_key, part, suite.info.name, suite.info.nonce_size)


class Segment(NamedTuple):
    """One segment of a part: its number, whether it is the last, its bytes of plaintext, and
    what it needs beyond them."""

    number: int
    final: bool
    length: int
    overhead: int


class Run(NamedTuple):
    """Neighbouring parts of one stored length, and where the first of them begins."""

    first: int
    parts: int
    length: int
    segments: int
    last: int
    body: int
    body_each: int
    table: int
    table_each: int


class Layout:
    """Where every segment and tag of a body is: arithmetic over the geometry."""

    __slots__ = ("_overhead", "_suite", "body_size", "inline", "runs", "segment_size", "table_size")

    def __init__(
        self,
        suite: Suite,
        geometry: Sequence[tuple[int, int]],
        segment_size: int,
        placement: TagPlacement,
    ) -> None:
        """Raises TooLarge: a part is larger than the cipher takes."""
        _check_lengths(suite, geometry)
        self.segment_size = segment_size
        self.inline = placement == "inline"
        self._suite = suite
        self._overhead = suite.overhead(segment_size) if segment_size else 0
        self.runs: list[Run] = []
        first, body, table = 1, 0, 0
        for count, length in geometry:
            segments = max(1, -(-length // segment_size)) if segment_size else 1
            last = length - (segments - 1) * segment_size
            extra = (segments - 1) * self._overhead + suite.overhead(last)
            body_each, table_each = (length + extra, 0) if self.inline else (length, extra)
            run = Run(first, count, length, segments, last, body, body_each, table, table_each)
            self.runs.append(run)
            first, body, table = first + count, body + count * body_each, table + count * table_each
        self.body_size = body
        self.table_size = table

    def run(self, part: int) -> Run:
        """The run that holds `part`. Raises InputError."""
        for run in self.runs:
            if run.first <= part < run.first + run.parts:
                return run
        last = self.runs[-1].first + self.runs[-1].parts - 1
        raise InputError(f"there is no part {part}; the object has parts 1 to {last}")

    def segments(self, run: Run) -> Iterator[Segment]:
        """Every segment of a part of `run`."""
        final = run.segments - 1
        for index in range(final):
            yield Segment(index, False, self.segment_size, self._overhead)
        yield Segment(final, True, run.last, self._suite.overhead(run.last))

    def body_offset(self, part: int) -> int:
        """Where the stored bytes of `part` begin; the body's end for the part after the last."""
        for run in self.runs:
            if run.first <= part < run.first + run.parts:
                return run.body + (part - run.first) * run.body_each
        return self.body_size


def _check_lengths(suite: Suite, geometry: Sequence[tuple[int, int]]) -> None:
    most = suite.info.max_part
    longest = max(length for _, length in geometry)
    if most is not None and longest > most:
        raise TooLarge(
            f"a part has {longest} bytes, cipher {suite.info.name} takes {most}",
            hint="let a rule choose another cipher for it",
        )


class BodyWriter:
    """Encrypts parts into a sink, and collects the tag table if there is one."""

    def __init__(self, layout: Layout, binder: Binder, parts: Sequence[Part]) -> None:
        self._layout = layout
        self._binder = binder
        self._parts = parts
        self.table = bytearray()

    def put(self, first: int, stop: int, sink: Sink) -> None:
        """Encrypt parts `first` to `stop - 1`, in order.

        Raises:
            InputError: a source gives fewer bytes than it said.
        """
        for part in range(first, stop):
            self._put(part, self._layout.run(part), sink)

    def _put(self, part: int, run: Run, sink: Sink) -> None:
        source, closer = self._parts[part - 1], self._binder.closer(part)
        offset = 0
        for segment in self._layout.segments(run):
            data = _plaintext(source, offset, segment.length)
            out = sink.room(segment.length + segment.overhead)
            closer.encrypt(segment.number, segment.final, data, out)
            if self._layout.inline:
                sink.advance(len(out))
            else:
                self.table += out[segment.length :]
                sink.advance(segment.length)
            offset += segment.length


def _plaintext(part: Part, offset: int, length: int) -> memoryview:
    """Bytes of a part as they are encrypted: zeros follow where the part ends."""
    have = min(length, max(0, part.length - offset))
    view = part.reader.view(part.offset + offset, have) if have else memoryview(b"")
    if len(view) != have:
        raise InputError(f"the source gave {len(view)} bytes where it said {have}")
    if have == length:
        return view
    padded = bytearray(length)
    padded[:have] = view
    return memoryview(padded)


class BlankWriter:
    """Writes as many zeros as encryption would write bytes, to learn a size."""

    _ZEROS = bytes(1 << 20)

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.table = bytes(layout.table_size)

    def put(self, first: int, stop: int, sink: Sink) -> None:
        left = self._layout.body_offset(stop) - self._layout.body_offset(first)
        while left:
            step = min(left, len(self._ZEROS))
            sink.write(memoryview(self._ZEROS)[:step])
            left -= step


class BodyReader:
    """Decrypts the parts of one item; nothing leaves it before its tag was verified."""

    def __init__(
        self, stream: Reader, table: int, layout: Layout, binder: Binder, lengths: Sequence[int]
    ) -> None:
        """
        Args:
            stream: the sealed stream.
            table: where its tag table begins; the body follows.
            lengths: true lengths of the item's parts.
        """
        self._stream = stream
        self._table = table
        self._body = table + layout.table_size
        self._layout = layout
        self._binder = binder
        self.lengths = lengths
        self._scratch = bytearray()
        self._opened: set[int] = set()

    def read(self, index: int) -> bytes:
        sink = GrowingSink()
        self.copy(index, sink)
        return bytes(sink.data)

    def copy(self, index: int, sink: Sink) -> None:
        part = index + 1
        run = self._layout.run(part)
        closer = self._binder.closer(part)
        self._opened.add(index)
        left = self.lengths[index]
        for segment, data in self._segments(part, run):
            if left >= segment.length:
                closer.decrypt(segment.number, segment.final, data, sink.room(segment.length))
                sink.advance(segment.length)
                left -= segment.length
            else:
                sink.write(_without_padding(closer, segment, data, left))
                left = 0

    def all_opened(self) -> bool:
        """Whether every part was read, and so verified, at least once."""
        return len(self._opened) == len(self.lengths)

    def _segments(self, part: int, run: Run) -> Iterator[tuple[Segment, memoryview]]:
        """Each segment of a part with its ciphertext and tag."""
        body = self._body + run.body + (part - run.first) * run.body_each
        table = self._table + run.table + (part - run.first) * run.table_each
        for segment in self._layout.segments(run):
            size = segment.length + segment.overhead
            if self._layout.inline:
                yield segment, self._stream.view(body, size)
                body += size
            else:
                yield segment, self._gathered(body, table, segment)
                body += segment.length
                table += segment.overhead

    def _gathered(self, body: int, table: int, segment: Segment) -> memoryview:
        size = segment.length + segment.overhead
        if len(self._scratch) < size:
            self._scratch = bytearray(size)
        scratch = memoryview(self._scratch)[:size]
        scratch[: segment.length] = self._stream.view(body, segment.length)
        scratch[segment.length :] = self._stream.view(table, segment.overhead)
        return scratch


def _without_padding(closer: Closer, segment: Segment, data: memoryview, left: int) -> memoryview:
    """The first `left` bytes of a segment that ends in padding, which must be zeros."""
    plain = bytearray(segment.length)
    closer.decrypt(segment.number, segment.final, data, memoryview(plain))
    if plain.count(0, left) != segment.length - left:
        raise FormatError("the padding of a part is not zeros")
    return memoryview(plain)[:left]
