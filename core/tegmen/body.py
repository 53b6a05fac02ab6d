"""Parts to encrypted segments and back: nonces, associated data, MACs, padding, tag placement."""

from __future__ import annotations

import hmac
import struct
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from tegmen.buffers import Larger, fresh
from tegmen.errors import FormatError, InputError, PluginBroken, SegmentAltered, TooLarge
from tegmen.files import GrowingSink
from tegmen.interfaces import Cipher, Part, Reader, Sink, TagPlacement
from tegmen.keys import KeySchedule, info, part_label, same

NONCE = struct.Struct(">B3xQ")
ASSOCIATED_DATA = struct.Struct(">IQBQ")
MAC_NAME = "hmac-sha-256"
MAC_SIZE = 32


class Closer:
    """The cipher, and the MAC where the cipher has none, under the keys of one part."""

    __slots__ = ("_cipher", "_mac_key", "_part", "_suite")

    def __init__(self, suite: Suite, part: int, key: bytes, mac_key: bytes | None) -> None:
        self._cipher = suite.cipher.start(key)
        self._suite = suite
        self._part = part
        self._mac_key = mac_key

    def _mac(self, associated_data: bytes, ciphertext: memoryview) -> bytes:
        assert self._mac_key is not None  # noqa: S101  # callers looked
        mac = hmac.new(self._mac_key, associated_data, sha256)
        mac.update(ciphertext)
        return mac.digest()

    def encrypt(self, segment: int, final: bool, data: memoryview, out: memoryview) -> None:
        """Fill `out` with ciphertext and tag. Raises PluginBroken if the cipher does not."""
        size = len(out)
        nonce = NONCE.pack(final, segment) + self._suite.nonce_pad
        associated_data = ASSOCIATED_DATA.pack(self._part, segment, final, len(data))
        if self._mac_key is not None:
            size -= MAC_SIZE
            ciphertext, mac = out[:size], out[size:]
            written = self._cipher.encrypt_into(nonce, data, associated_data, ciphertext)
            mac[:] = self._mac(associated_data, ciphertext)
        else:
            written = self._cipher.encrypt_into(nonce, data, associated_data, out)
        if written != size:
            raise PluginBroken(
                f"cipher {self._suite.name} wrote {written} bytes where it declared {size}",
                hint="report it to the plugin's authors; nothing was sealed",
            )

    def decrypt(self, segment: int, final: bool, data: memoryview, out: memoryview) -> None:
        """Fill `out` with plaintext, or leave it wiped.

        Raises:
            SegmentAltered: the tag or MAC does not fit.
        """
        size = len(out)
        nonce = NONCE.pack(final, segment) + self._suite.nonce_pad
        associated_data = ASSOCIATED_DATA.pack(self._part, segment, final, size)
        try:
            if self._mac_key is not None:
                data, mac = data[:-MAC_SIZE], data[-MAC_SIZE:]
                if not same(self._mac(associated_data, data), mac):
                    raise InvalidTag
            written = self._cipher.decrypt_into(nonce, data, associated_data, out)
        except InvalidTag:
            out[:] = bytes(size)
            raise SegmentAltered(
                f"segment {segment} of part {self._part} fails its tag",
                hint="the object was altered or damaged; fetch or restore another copy",
            ) from None
        if written != size:
            out[:] = bytes(size)
            raise PluginBroken(f"cipher {self._suite.name} gave {written} bytes, not {size}")


class Suite:
    """A cipher with the MAC that it needs, if any."""

    __slots__ = ("cipher", "info", "key_size", "mac", "name", "nonce_pad", "tag_size")

    def __init__(self, cipher: Cipher) -> None:
        self.cipher = cipher
        self.info = cipher.info
        self.name = self.info.name
        self.key_size = self.info.key_size
        self.mac = None if self.info.tag_size else MAC_NAME
        self.tag_size = self.info.tag_size or MAC_SIZE
        self.nonce_pad = bytes(self.info.nonce_size - NONCE.size)

    def overhead(self, length: int) -> int:
        """Bytes that a segment of `length` needs beyond it: what spills over, and the tag."""
        return self.cipher.ciphertext_length(length) - length + self.tag_size

    def manifest_closer(self, schedule: KeySchedule) -> Closer:
        """For part 0."""
        return Closer(self, 0, schedule.manifest_key(self.key_size), None)

    def binder(self, schedule: KeySchedule, header: bytes, context: bytes) -> Binder:
        """For parts 1 and up of the object with that H and X."""
        return Binder(self, schedule, part_label(header, context, 0, self.name))


class Binder:
    """Makes the Closer of each part of one object."""

    __slots__ = ("_cipher", "_mac", "_schedule", "suite")

    def __init__(self, suite: Suite, schedule: KeySchedule, label: bytes) -> None:
        self.suite = suite
        self._schedule = schedule
        self._cipher = info(b"cipher", label)
        self._mac = info(b"mac", label) if suite.mac else None

    def closer(self, part: int) -> Closer:
        number = part.to_bytes(4, "big")
        key = self._schedule.derive(self._cipher + number, self.suite.key_size)
        mac_key = None if self._mac is None else self._schedule.derive(self._mac + number)
        return Closer(self.suite, part, key, mac_key)


class Run(NamedTuple):
    """Neighbouring parts of one stored length.

    Attributes:
        first: the number of the first one.
        segments: in each part; all but the last have `size` bytes of plaintext.
        size, overhead: of a segment; what it needs beyond its plaintext.
        last_size, last_overhead: of the last segment.
        body, body_each: where the first part begins in the body, and bytes of each.
        table, table_each: the same in the tag table.
    """

    first: int
    segments: int
    size: int
    overhead: int
    last_size: int
    last_overhead: int
    body: int
    body_each: int
    table: int
    table_each: int


class Layout:
    """Where every segment and tag of a body is: arithmetic over the geometry."""

    __slots__ = ("_firsts", "body_size", "inline", "parts", "runs", "table_size")

    def __init__(
        self,
        suite: Suite,
        geometry: Sequence[tuple[int, int]],
        segment_size: int,
        placement: TagPlacement,
    ) -> None:
        """Raises TooLarge: a part is larger than the cipher takes."""
        _check_lengths(suite, geometry)
        self.inline = inline = placement == "inline"
        self.runs: list[Run] = []
        self._firsts: list[int] = []
        first, body, table = 1, 0, 0
        for count, length in geometry:
            full = (length - 1) // segment_size if segment_size < length and segment_size else 0
            overhead = suite.overhead(segment_size) if full else 0
            last = length - full * segment_size
            end = suite.overhead(last)
            extra = full * overhead + end
            each, entries = (length + extra, 0) if inline else (length, extra)
            self._firsts.append(first)
            self.runs.append(
                Run(first, full + 1, segment_size, overhead, last, end, body, each, table, entries)
            )
            first, body, table = first + count, body + count * each, table + count * entries
        self.parts = first - 1
        self.body_size = body
        self.table_size = table

    def run(self, part: int) -> Run:
        """The run that holds `part`. Raises InputError."""
        if not 0 < part <= self.parts:
            raise InputError(f"there is no part {part}; the object has parts 1 to {self.parts}")
        return self.runs[bisect_right(self._firsts, part) - 1]

    def body_offset(self, part: int) -> int:
        """Where the stored bytes of `part` begin; the body's end for the part after the last."""
        if part > self.parts:
            return self.body_size
        run = self.run(part)
        return run.body + (part - run.first) * run.body_each


def _check_lengths(suite: Suite, geometry: Sequence[tuple[int, int]]) -> None:
    most = suite.info.max_part
    if most is not None and (longest := max([length for _, length in geometry])) > most:
        raise TooLarge(
            f"a part has {longest} bytes, cipher {suite.info.name} takes {most}",
            hint="let a rule choose another cipher for it",
        )


class BodyWriter:
    """Encrypts parts into a sink, and collects the tag table if there is one."""

    def __init__(self, layout: Layout, binder: Binder, parts: Sequence[Part]) -> None:
        self._layout = layout
        self._inline = layout.inline
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
        view, begin, length = source.reader.view, source.offset, source.length
        size, overhead = run.size, run.overhead
        offset, final = 0, run.segments - 1
        for segment in range(run.segments):
            if segment == final:
                size, overhead = run.last_size, run.last_overhead
            whole = offset + size <= length
            data = view(begin + offset, size) if whole else _padded(source, offset, size)
            if len(data) != size:
                raise InputError(f"the source gave {len(data)} bytes where it said {size}")
            out = sink.room(size + overhead)
            closer.encrypt(segment, segment == final, data, out)
            if self._inline:
                sink.advance(size + overhead)
            else:
                self.table += out[size:]
                sink.advance(size)
            offset += size


def _padded(part: Part, offset: int, size: int) -> memoryview:
    """What is left of a part from `offset`, and zeros."""
    padded = bytearray(size)
    left = max(0, part.length - offset)
    data = part.reader.view(part.offset + offset, left) if left else b""
    if len(data) != left:
        raise InputError(f"the source gave {len(data)} bytes where it said {left}")
    padded[:left] = data
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
        self,
        stream: Reader,
        table: int,
        layout: Layout,
        binder: Binder,
        lengths: Sequence[int],
        larger: Larger = fresh,
    ) -> None:
        """
        Args:
            stream: the sealed stream.
            table: where its tag table begins; the body follows.
            lengths: true lengths of the item's parts.
            larger: where it gets its buffer.
        """
        self._stream = stream
        self._table = table
        self._body = table + layout.table_size
        self._layout = layout
        self._binder = binder
        self.lengths = lengths
        self._larger = larger
        self._scratch = bytearray()
        self._next = 0
        self._ahead: set[int] = set()

    def read(self, index: int) -> bytes:
        with GrowingSink() as sink:
            self.copy(index, sink)
            return bytes(sink.data)

    def copy(self, index: int, sink: Sink) -> None:
        part, inline = index + 1, self._layout.inline
        run = self._layout.run(part)
        closer = self._binder.closer(part)
        if index == self._next:
            self._next += 1
        else:
            self._ahead.add(index)
        body = self._body + run.body + (part - run.first) * run.body_each
        table = self._table + run.table + (part - run.first) * run.table_each
        size, overhead = run.size, run.overhead
        final, left = run.segments - 1, self.lengths[index]
        for segment in range(run.segments):
            if segment == final:
                size, overhead = run.last_size, run.last_overhead
            if inline:
                data = self._stream.view(body, size + overhead)
                body += size + overhead
            else:
                data = self._gathered(body, size, table, overhead)
                body, table = body + size, table + overhead
            if left >= size:
                closer.decrypt(segment, segment == final, data, sink.room(size))
                sink.advance(size)
            else:
                plain = bytearray(size)
                closer.decrypt(segment, segment == final, data, memoryview(plain))
                sink.write(_without_padding(plain, max(0, left)))
            left -= size

    def all_opened(self) -> bool:
        """Whether every part was read, and so verified, at least once."""
        ahead = sum([index >= self._next for index in self._ahead])
        return self._next + ahead == len(self.lengths)

    def _gathered(self, body: int, size: int, table: int, overhead: int) -> memoryview:
        """A segment of the body and its entry of the table, side by side."""
        if len(self._scratch) < size + overhead:
            self._scratch = self._larger(self._scratch, size + overhead)
        scratch = memoryview(self._scratch)[: size + overhead]
        scratch[:size] = self._stream.view(body, size)
        scratch[size:] = self._stream.view(table, overhead)
        return scratch


def _without_padding(plain: bytearray, left: int) -> memoryview:
    """The first `left` bytes of a segment that ends in padding, which must be zeros."""
    if plain.count(0, left) != len(plain) - left:
        raise FormatError("the padding of a part is not zeros")
    return memoryview(plain)[:left]
