"""Where the rows are measured: a RAM disk, a configuration with a file key store, sample images."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.measure import Contender, Timing, interleave
from tegmen import MemorySink, Sealer

RAM_DISK = Path("/dev/shm")
CT = "693_UNCI.dcm"
"""Of pydicom-data: a CT slice of 512 x 512 pixels of 16 bits, native, 526,324 bytes."""

CONFIG = """
version = 1
sources = ["dicom", "file"]

[stores.local]
kind = "file"
path = "store"
key-file = "keys/root.key"

[profiles.image]
cipher = "aes-256-gcm"
carrier = "dicom"
recipients = ["local/images"]
verify = {verify}

[profiles.file]
cipher = "aes-256-gcm"
carrier = "tgm"
recipients = ["local/images"]
verify = {verify}

[[rules]]
name = "images"
found = {{ SOPClassUID = "*" }}
use = "image"

[[rules]]
name = "everything-else"
use = "file"
"""


class NotMeasured(Exception):
    """Something that the row needs is not here; the message says what."""


class Bench:
    """A folder of its own on the RAM disk, removed at the end of the `with` block.

    Attributes:
        quick: whether small inputs and few turns shall do, to see that everything runs.
        on_ram_disk: whether the folder is in memory.
    """

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.on_ram_disk = os.access(RAM_DISK, os.W_OK)
        place = RAM_DISK if self.on_ram_disk else None
        self._folder = tempfile.TemporaryDirectory(prefix="tegmen-bench-", dir=place)
        self.home = Path(self._folder.name)
        self._sealers: dict[bool, Sealer] = {}
        self._make_store()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def _make_store(self) -> None:
        from tegmen_file import create_store

        (self.home / "keys").mkdir(mode=0o700)
        key_file = self.home / "keys" / "root.key"
        store: Any = create_store(self.home / "store", key_file=key_file)
        store.create("images")
        for verify in (False, True):
            self.config(verify=verify).write_text(CONFIG.format(verify=str(verify).lower()))

    def config(self, *, verify: bool) -> Path:
        """A configuration whose profiles open and compare what they sealed, or do not."""
        return self.home / f"verify-{'on' if verify else 'off'}.toml"

    def sealer(self, *, verify: bool = False) -> Sealer:
        """A sealer under that configuration, with an audit sink in memory."""
        if verify not in self._sealers:
            made = Sealer.from_file(self.config(verify=verify), audit=[MemorySink()])
            self._sealers[verify] = made
        return self._sealers[verify]

    def size(self, full: int, quick: int) -> int:
        """How large, or how many: `quick` if that shall do."""
        return quick if self.quick else full

    def times(
        self, contenders: Sequence[Contender], *, seconds: float = 4, least: int = 5
    ) -> tuple[Timing, ...]:
        """Time the contenders in turns; as briefly as can be if quick."""
        if self.quick:
            seconds, least = 0, 2
        return interleave(contenders, seconds=seconds, least=least)

    @contextlib.contextmanager
    def room(self, needed: int = 0) -> Iterator[Path]:
        """A folder for one row.

        Args:
            needed: bytes that it will hold at most.

        Raises:
            NotMeasured: there is no room for that.
        """
        free = min(shutil.disk_usage(self.home).free, _available_memory())
        if needed > free * 0.8:
            raise NotMeasured(f"needs {needed >> 20} MiB in {self.home.parent}, {free >> 20} free")
        with tempfile.TemporaryDirectory(dir=self.home) as folder:
            yield Path(folder)


def _available_memory() -> int:
    """Bytes that can be used before the machine swaps; a RAM disk may claim to have more."""
    with contextlib.suppress(OSError), open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return 1 << 62


def ct_slice() -> bytes:
    """The CT slice. Raises NotMeasured when pydicom-data is not installed."""
    try:
        from pydicom.data import get_testdata_file
    except ImportError:
        raise NotMeasured("pydicom is not installed (the extra tegmen[bench])") from None
    path = get_testdata_file(CT, download=False)
    if not isinstance(path, str):
        raise NotMeasured("pydicom-data is not installed (the extra tegmen[bench])")
    return Path(path).read_bytes()


def many_frames(count: int) -> bytes:
    """A multi-frame object of `count` frames, each the pixels of the CT slice."""
    from io import BytesIO

    import pydicom
    from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage as MultiFrame

    ds = pydicom.dcmread(BytesIO(ct_slice()))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MultiFrame
    ds.NumberOfFrames = count
    ds.PixelData = ds.PixelData * count
    out = BytesIO()
    ds.save_as(out)
    return out.getvalue()
