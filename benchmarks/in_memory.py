"""Rows from memory to memory: small objects, one part, many frames."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial

from attrs import field, frozen

from benchmarks.bench import Bench, many_frames
from benchmarks.lines import Line, Row, Target, at_most, compare, times_as_fast
from benchmarks.measure import here
from benchmarks.peers import RawGcm, envelope, segments
from tegmen import Sealer

SMALL = 4 << 10
PART = 512 * 512 * 2
LARGE = 64 << 20

ABOUT = (
    "Included: detection, rules, policy, a fresh data key, its wrap by the file store for one "
    "recipient, header, key schedule, both slot zones, part 0, audit events in memory; "
    "verification after sealing is off. Source and target are buffers that are used again. Raw is "
    "AESGCM.encrypt_into (opening: decrypt_into) with a key that is ready, over the same segments "
    "of at most 1 MiB, into a buffer used again, as large as tegmen's (opening: a segment's)."
)
TINK = (
    "As small. Tink draws a data key, wraps it under a key in memory and encrypts: no header, "
    "names, policy, audit or second zone; and it returns new bytes."
)


@frozen
class Job:
    """A buffer, sealed and opened into buffers."""

    sealer: Sealer
    data: bytes = field(repr=False)
    profile: str | None = None
    sealed: bytearray = field(init=False, repr=False)
    opened: bytearray = field(init=False, repr=False)

    @sealed.default
    def _sealed(self) -> bytearray:
        return bytearray(self.sealer.sealed_size(self.data, profile=self.profile))

    @opened.default
    def _opened(self) -> bytearray:
        return bytearray(len(self.data))

    def seal(self) -> None:
        self.sealer.seal(self.data, self.sealed, profile=self.profile)

    def open(self) -> None:
        self.sealer.open(self.sealed, self.opened)

    def check(self) -> None:
        """Raises AssertionError unless it comes back bit for bit, and is not what it was."""
        self.seal()
        self.open()
        assert self.opened == self.data, "opened to other bytes"
        assert self.data[-SMALL:] not in self.sealed, "not encrypted"


def beside_raw(
    bench: Bench,
    name: str,
    job: Job,
    pieces: list[memoryview],
    targets: tuple[Target | None, Target | None],
    unit: str,
    what: str,
) -> Iterable[Line]:
    """Seal, then open, each beside the raw cipher."""
    raw = RawGcm(pieces)
    job.check()
    assert raw.works()
    sealing = [here("tegmen", job.seal), here("raw AES-256-GCM", raw.seal)]
    opening = [here("tegmen", job.open), here("raw AES-256-GCM", raw.open)]
    yield from compare(bench, name, f"seal {what}", unit, sealing, targets[0])
    yield from compare(bench, name, f"open {what}", unit, opening, targets[1])


def small(bench: Bench, *, verify: bool) -> Iterable[Line]:
    job = Job(bench.sealer(verify=verify), os.urandom(SMALL))
    targets = (None, None) if verify else (at_most(60), at_most(70))
    what = "4 KB" + ", verified after sealing" * verify
    name = "small-verified" if verify else "small"
    lines = beside_raw(bench, name, job, segments(job.data), targets, "us", what)
    return list(lines)[:1] if verify else lines


def small_beside_tink(bench: Bench) -> Iterable[Line]:
    peer = envelope()
    job = Job(bench.sealer(), os.urandom(SMALL))
    job.check()
    sealed = peer.encrypt(job.data, b"")
    assert peer.decrypt(sealed, b"") == job.data
    sealing = [
        here("tegmen", job.seal),
        here(peer.name, lambda: peer.encrypt(job.data, b"")),
    ]
    opening = [
        here("tegmen", job.open),
        here(peer.name, lambda: peer.decrypt(sealed, b"")),
    ]
    yield from compare(bench, "small-tink", "seal 4 KB", "us", sealing)
    yield from compare(bench, "small-tink", "open 4 KB", "us", opening)


def part(bench: Bench) -> Iterable[Line]:
    job = Job(bench.sealer(), os.urandom(PART))
    targets = (times_as_fast(0.28), None)
    return beside_raw(bench, "part", job, segments(job.data), targets, "us", "one part of 0.5 MB")


def large(bench: Bench) -> Iterable[Line]:
    size = bench.size(LARGE, 4 << 20)
    job = Job(bench.sealer(), os.urandom(size))
    targets = (times_as_fast(0.92), None)
    what = f"one part of {size >> 20} MB"
    return beside_raw(bench, "large", job, segments(job.data), targets, "ms", what)


def frames(bench: Bench, *, profile: str) -> Iterable[Line]:
    count = bench.size(200, 8)
    job = Job(bench.sealer(), many_frames(count), profile=profile)
    stored = segments(job.data[-count * PART :], PART)
    what = f"{count} frames of 0.5 MB, {profile} profile"
    targets = (times_as_fast(1 / 1.2), None)
    name = f"frames-{profile}"
    return beside_raw(bench, name, job, stored, targets, "ms", what)


ROWS = (
    Row("small", ABOUT, partial(small, verify=False)),
    Row("small-verified", ABOUT, partial(small, verify=True)),
    Row("small-tink", TINK, small_beside_tink),
    Row("part", ABOUT, part),
    Row("large", ABOUT, large),
    Row("frames-file", ABOUT, partial(frames, profile="file")),
    Row("frames-image", ABOUT, partial(frames, profile="image")),
)
