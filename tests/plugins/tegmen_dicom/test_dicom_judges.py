"""Whether a sealed object is DICOM is for others to say: dicom3tools, GDCM, dcmtk."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tegmen.files import MemoryReader
from tegmen.testing.containers import pack
from tegmen_dicom.carrier import DicomCarrier
from tegmen_dicom.source import DicomSource

Run = Callable[..., subprocess.CompletedProcess[str]]
READERS = ("gdcminfo", "gdcmdump", "dcmdump", "dcm2pnm", "dcmj2pnm")
MORE_ERRORS = {
    "image_dfl.dcm",  # deflated: dciodvfy does not read the source to its end
    "empty_charset_LEI.dcm",  # the same error, in a module that the source did not name
    "rtstruct.dcm",  # what these consist of is sealed, and nothing can stand in for it
    "waveform_ecg.dcm",
}


@pytest.fixture
def seal(tmp_path: Path) -> Callable[[Path], Path]:
    def make(source: Path) -> Path:
        item = DicomSource().load(MemoryReader(source.read_bytes()), source.name)
        sealed = tmp_path / f"{source.stem}.dcm"
        sealed.write_bytes(pack(DicomCarrier(), item)[1])
        return sealed

    return make


def errors(run: Run, path: Path) -> set[str]:
    judged = run("dciodvfy", "-new", path)
    return {line for line in judged.stderr.splitlines() if line.startswith("Error")}


def args(tool: str, path: Path) -> tuple[object, ...]:
    return (path, "/dev/null") if tool.endswith("pnm") else (path,)


def test_dciodvfy_finds_no_error_in_the_validity_set(
    run: Run, seal: Callable[[Path], Path], valid_file: Path
) -> None:
    assert errors(run, valid_file) == set(), "it would not be in the validity set"
    assert errors(run, seal(valid_file)) == set()


def test_dciodvfy_finds_no_new_error_in_almost_any_file(
    run: Run, seal: Callable[[Path], Path], real_file: Path
) -> None:
    new = errors(run, seal(real_file)) - errors(run, real_file)
    assert bool(new) == (real_file.name in MORE_ERRORS), new


def test_dciodvfy_finds_errors(run: Run, find: Callable[[str], Path]) -> None:
    assert len(errors(run, find("OT-PAL-8-face.dcm"))) > 5


@pytest.mark.parametrize("tool", READERS)
def test_readers_accept_every_sealed_image(
    run: Run, seal: Callable[[Path], Path], image_file: Path, tool: str
) -> None:
    """Wherever they accept the source: some of the samples are there to be refused."""
    sealed = run(tool, *args(tool, seal(image_file)))
    if sealed.returncode:
        assert run(tool, *args(tool, image_file)).returncode, sealed.stderr
    assert "AddressSanitizer" not in sealed.stderr


def test_a_viewer_shows_noise(run: Run, seal: Callable[[Path], Path], tmp_path: Path,
                              find: Callable[[str], Path]) -> None:  # fmt: skip
    """dcmtk renders original and sealed; neighbouring pixels are alike only in the first."""

    def roughness(path: Path) -> float:
        target = tmp_path / f"{path.stem}.pgm"
        assert run("dcm2pnm", "+Wm", path, target).returncode == 0
        row = target.read_bytes()[-128 * 128 :]
        return sum(abs(a - b) for a, b in pairwise(row)) / len(row)

    original = find("CT_small.dcm")
    assert roughness(original) < 20
    assert roughness(seal(original)) > 70


def test_gdcmanon_has_no_key(
    run: Run, seal: Callable[[Path], Path], tmp_path: Path, find: Callable[[str], Path]
) -> None:
    """Without an X.509 recipient it refuses cleanly, and writes nothing."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
        "-out", certificate, "-days", "2", "-subj", "/CN=Nobody",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    target = tmp_path / "back.dcm"
    sealed = seal(find("CT_small.dcm"))
    done = run("gdcmanon", "--re-identify", "--key", key, "--certificate", certificate, sealed,
               target)  # fmt: skip
    assert done.returncode != 0
    assert not target.exists()
