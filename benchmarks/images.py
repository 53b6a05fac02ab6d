"""Rows about DICOM: one CT slice, one frame of many, a look at a large object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from benchmarks.bench import Bench, NotMeasured, ct_slice, many_frames
from benchmarks.lines import Line, Row, at_most, compare
from benchmarks.measure import here
from benchmarks.worker import Worker

FRAMES = 200
SLICE = (
    "A real CT slice (512 x 512, 16 bits) from path to path on the RAM disk, in the DICOM "
    "carrier: reading, walking its elements, clear attributes, encryption, fsync and rename. The "
    "peer reads the file and writes it again, with the same fsync and rename and no encryption."
)
FRAME = (
    "Bytes that the process read (rchar of /proc/self/io) while it opened one frame from a path, "
    "as a share of the sealed file; then the time beside verifying the whole object."
)
LOOK = (
    "In process, from a path: carrier found, header read and checked, nothing decrypted. The peer "
    "reads the sealed file's elements up to its pixel data."
)


def ct_path_to_path(bench: Bench, row: str, verify: bool) -> Iterable[Line]:
    """tegmen seals and opens the slice; pydicom reads and writes it."""
    config = bench.config(verify=verify)
    with bench.room() as folder:
        source = folder / "ct.dcm"
        source.write_bytes(ct_slice())
        with (
            Worker("tegmen", config, source, folder / "own") as own,
            Worker("pydicom", config, source, folder / "peer") as peer,
        ):
            what = "seal a CT slice" + ", verified after sealing" * verify
            sealing = [own.contender("seal"), peer.contender("seal")]
            yield from compare(bench, row, what, "ms", sealing, at_most(0.6))
            if not verify:
                opening = [own.contender("open"), peer.contender("seal")]
                yield from compare(bench, row, "open a CT slice", "ms", opening)


def one_frame(bench: Bench, row: str, profile: str) -> Iterable[Line]:
    """One frame out of the middle."""
    count = bench.size(FRAMES, 100)
    source, index = many_frames(count), count // 2
    sealer = bench.sealer()
    with bench.room(needed=2 * len(source)) as folder:
        sealed = folder / "sealed"
        sealer.seal(source, sealed, profile=profile)
        frame = sealer.open_part(sealed, index)
        assert len(frame) == 512 * 512 * 2
        assert frame in source, "opened to other bytes"
        size = sealed.stat().st_size
        share = 100 * bytes_read(lambda: sealer.open_part(sealed, index)) / size
        what = f"open one frame of {count}, {profile} profile"
        yield Line(row, f"{what}: bytes read", "%", share, target=at_most(2))
        contenders = [
            here("tegmen", lambda: sealer.open_part(sealed, index)),
            here("tegmen, verify all", lambda: sealer.verify(sealed)),
        ]
        yield from compare(bench, row, what, "ms", contenders)


def bytes_read(work: Callable[[], object]) -> int:
    """What the process reads while `work` runs, without what looking at it costs."""
    start = _bytes_read()
    looking = _bytes_read() - start
    start = _bytes_read()
    work()
    return _bytes_read() - start - looking


def _bytes_read() -> int:
    try:
        with open("/proc/self/io") as file:
            return int(file.readline().split()[1])
    except OSError:
        raise NotMeasured("bytes read are counted by /proc, which is Linux's") from None


def look(bench: Bench, row: str, profile: str) -> Iterable[Line]:
    """`inspect` of a large object."""
    import pydicom

    source = many_frames(bench.size(FRAMES, 4))
    sealer = bench.sealer()
    with bench.room(needed=2 * len(source)) as folder:
        sealed = folder / "sealed"
        sealer.seal(source, sealed, profile=profile)
        contenders = [here("tegmen", lambda: sealer.inspect(sealed))]
        if profile == "image":
            read = partial(pydicom.dcmread, sealed, stop_before_pixels=True)
            contenders.append(here("pydicom, no pixels", read))
        what = f"inspect {len(source) >> 20} MB, {profile} profile"
        yield from compare(bench, row, what, "ms", contenders, at_most(1), seconds=1)


ROWS = (
    Row("ct", SLICE, partial(ct_path_to_path, row="ct", verify=False)),
    Row("ct-verified", SLICE, partial(ct_path_to_path, row="ct-verified", verify=True)),
    *(
        Row(
            f"frame-of-many-{profile}",
            FRAME,
            partial(one_frame, row=f"frame-of-many-{profile}", profile=profile),
        )
        for profile in ("image", "file")
    ),
    *(
        Row(f"inspect-{profile}", LOOK, partial(look, row=f"inspect-{profile}", profile=profile))
        for profile in ("image", "file")
    ),
)
