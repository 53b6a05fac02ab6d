"""Real DICOM files that installed packages ship, small ones made here, and a sealer."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import data_store
import pydicom
import pytest

from tegmen import Registry, Sealer
from tegmen.files import MemoryReader
from tegmen.interfaces import KeyStore
from tegmen.profile import loads
from tegmen.testing.hostile_keystores import MemoryKeyStore
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.source import DicomSource

ROOTS = (
    Path(pydicom.__file__).parent / "data" / "test_files",
    Path(data_store.__file__).parent / "data",
)
MANY_ALIKE = "TINY_ALPHA"

VALID = (
    "CT_small MR_small MR_small_RLE MR_small_bigendian MR_small_expb MR_small_implicit "
    "MR_small_jp2klossless MR_small_jpeg_ls_lossless J2K_pixelrep_mismatch examples_overlay "
    "RG3_J2KI RG3_J2KR RG3_UNCI RG3_UNCR MR-SIEMENS-DICOM-WithOverlays SC_rgb"
)
"""dciodvfy reports no error on these."""

CONFIG = """
version = 1
sources = ["dicom", "file"]

[stores.local]
kind = "memory"

[profiles.dicom]
cipher = "aes-256-gcm"
carrier = "dicom"
recipients = ["local/images"]

[profiles.tgm]
cipher = "aes-256-gcm"
carrier = "tgm"
recipients = ["local/images"]

[[rules]]
name = "ct"
found = { Modality = "CT" }
use = "dicom"

[[rules]]
name = "everything-else"
use = "dicom"
"""


@cache
def real_files() -> tuple[Path, ...]:
    """Every DICOM file of both packages, one of the fifty that are alike."""
    found = [path for root in ROOTS for path in sorted(root.rglob("*")) if path.is_file()]
    alike = [path for path in found if MANY_ALIKE in path.parts][2:]
    source = DicomSource()
    return tuple(
        path
        for path in found
        if path not in alike and source.detects(MemoryReader(path.read_bytes()), path.name)
    )


@cache
def image_files() -> tuple[Path, ...]:
    return tuple(path for path in real_files() if _item(path).detail.survey.is_image)


@cache
def valid_files() -> tuple[Path, ...]:
    """The validity set, and the phantom that heudiconv ships, if it is installed."""
    found = [path for path in real_files() if path.stem in VALID.split()]
    assert len(found) == len(VALID.split())
    return (*found, *heudiconv_files())


def heudiconv_files() -> Iterable[Path]:
    from importlib.util import find_spec

    spec = find_spec("heudiconv")
    if spec is None or spec.origin is None:
        return ()
    return sorted((Path(spec.origin).parent / "tests" / "data").glob("phantom*"))


def _item(path: Path) -> Any:
    return DicomSource().load(MemoryReader(path.read_bytes()), path.name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, files in (
        ("real_file", real_files),
        ("image_file", image_files),
        ("valid_file", valid_files),
    ):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, files(), ids=lambda path: path.name)


@pytest.fixture(scope="session")
def all_real_files() -> tuple[Path, ...]:
    return real_files()


@pytest.fixture(scope="session")
def find() -> Callable[[str], Path]:
    """A real file by its name."""
    by_name = {path.name: path for path in real_files()}
    return by_name.__getitem__


@pytest.fixture
def source() -> DicomSource:
    return DicomSource()


@pytest.fixture
def carrier() -> DicomCarrier:
    return DicomCarrier()


@pytest.fixture(scope="session")
def explicit() -> Callable[..., bytes]:
    """An element in Explicit VR Little Endian: (tag, VR, value, length=its own)."""
    return _explicit


def _explicit(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    if vr in ("OB", "OW", "OF", "SQ", "UN", "UT"):
        return struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), size) + value
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), size) + value


@pytest.fixture(scope="session")
def dicom_file() -> Callable[..., bytes]:
    """A small file: (elements of the dataset, transfer syntax)."""

    def make(*elements: bytes, syntax: str = "1.2.840.10008.1.2.1") -> bytes:
        uid = syntax.encode().ljust(len(syntax) + len(syntax) % 2, b"\0")
        return bytes(128) + b"DICM" + _explicit(0x00020010, "UI", uid) + b"".join(elements)

    return make


@pytest.fixture(scope="session")
def image() -> Callable[..., list[bytes]]:
    """Elements of a small image: (pixel data, and what to change of its description)."""

    def make(pixels: bytes, vr: str = "OW", **numbers: int | str) -> list[bytes]:
        said = {"samples": 1, "frames": "2", "rows": 4, "columns": 6, "bits": 16} | numbers
        elements = [
            (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
            (0x00080018, "UI", b"1.2.3\0"),
            (0x00080060, "CS", b"OT"),
            (0x00100010, "PN", b"Nobody^Else "),
            (0x0020000D, "UI", b"1.2.4\0"),
            (0x0020000E, "UI", b"1.2.5\0"),
            (0x00280002, "US", struct.pack("<H", said["samples"])),
            (0x00280004, "CS", b"MONOCHROME2 "),
            (0x00280008, "IS", str(said["frames"]).encode()),
            (0x00280010, "US", struct.pack("<H", said["rows"])),
            (0x00280011, "US", struct.pack("<H", said["columns"])),
            (0x00280100, "US", struct.pack("<H", said["bits"])),
            (0x7FE00010, vr, pixels),
        ]
        return [_explicit(*element) for element in elements]

    return make


class MemoryRegistry(Registry):
    """The installed plugins, and one key store in memory."""

    def __init__(self, store: KeyStore) -> None:
        super().__init__()
        self.store = store

    def keystore(self, kind: str, options: Mapping[str, Any] | None, base: Path) -> KeyStore:
        return self.store


@pytest.fixture
def make_sealer(tmp_path: Path) -> Callable[[str], Sealer]:
    """Makes a sealer; to the configuration above comes what the test adds."""
    store = MemoryKeyStore("images")

    def make(added: str = "") -> Sealer:
        return Sealer(loads(CONFIG + added, tmp_path), MemoryRegistry(store))

    return make


@pytest.fixture
def sealer(make_sealer: Callable[[str], Sealer]) -> Sealer:
    return make_sealer("")


@pytest.fixture
def run(requires_tool: Callable[[str], str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs an external program; the test is skipped where it is not installed."""

    def run_tool(name: str, *args: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [requires_tool(name), *map(str, args)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )

    return run_tool
