"""Private files are read only if nobody else can read, write or replace them."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tegmen.errors import AccessDenied, InsecureConfig, StoreUnavailable, TegmenError
from tegmen.private import check_folder, make_folder, read_private, wipe

SECRET = b"a secret of 24 bytes ..."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that may be read."""
    path = tmp_path / "it's private" / "file"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


def refusal(file: Path) -> TegmenError:
    """Why `file` is not read; what stands in it is never told."""
    with pytest.raises(TegmenError) as caught:
        read_private(file, "key file", 100)
    assert SECRET.decode() not in f"{caught.value} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_its_status_and_content(file: Path, mode: int) -> None:
    file.chmod(mode)
    status, data = read_private(file, "key file", 100)
    assert (status.st_ino, stat.S_IMODE(status.st_mode)) == (file.stat().st_ino, mode)
    assert data == SECRET
    wipe(data)
    assert data == bytes(24)


@pytest.mark.parametrize(("limit", "read"), [(0, 1), (22, 23), (23, 24), (24, 24)])
def test_no_more_than_tells_that_it_is_too_long(file: Path, limit: int, read: int) -> None:
    assert read_private(file, "key file", limit)[1] == SECRET[:read]


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601])
def test_a_file_open_to_others_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    file.chmod(mode)
    error = refusal(file)
    assert isinstance(error, InsecureConfig)
    assert f"key file {file} is open to others (mode {mode:04o})" in str(error)
    remedy, _, medium = error.hint.removeprefix("run: ").partition(" (")
    assert "umask=077" in medium
    subprocess.run(remedy, shell=True, check=True)
    assert read_private(file, "key file", 100)[1] == SECRET


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o1777])
def test_a_folder_that_others_may_write_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    file.parent.chmod(mode)
    error = refusal(file)
    assert isinstance(error, InsecureConfig)
    assert f"{mode:04o}" in str(error)
    subprocess.run(error.hint.removeprefix("run: "), shell=True, check=True)
    assert read_private(file, "key file", 100)[1] == SECRET


@pytest.mark.parametrize("which", ["file", "folder"])
def test_another_users_is_refused(file: Path, which: str, is_root: bool) -> None:
    if not is_root:
        pytest.skip("only root can give a file to another user")
    os.chown(file if which == "file" else file.parent, 65534, 65534)
    assert isinstance(refusal(file), InsecureConfig)
    assert "belongs to user 65534" in str(refusal(file))


def test_the_folder_may_be_roots(
    file: Path, monkeypatch: pytest.MonkeyPatch, is_root: bool
) -> None:
    if not is_root:
        pytest.skip("only root has such a folder to give")
    os.chown(file, 65534, 65534)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert read_private(file, "key file", 100)[1] == SECRET


def to_link(file: Path) -> None:
    file.symlink_to(file.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (to_link, "is a symbolic link"),
        (lambda file: file.symlink_to("nowhere"), "is a symbolic link"),
        (lambda file: file.symlink_to(file), "is a symbolic link"),
        (lambda file: os.mkfifo(file, 0o600), "is not a regular file"),
        (lambda file: file.mkdir(mode=0o600), "is not a regular file"),
    ],
    ids=["link", "dangling link", "loop", "pipe", "folder"],
)
def test_what_is_no_file_is_refused(file: Path, put: Callable[[Path], None], said: str) -> None:
    file.rename(file.with_name("elsewhere"))
    put(file)
    assert isinstance(refusal(file), InsecureConfig)
    assert f"key file {file} {said}" in str(refusal(file))


def test_what_is_missing_is_named(file: Path) -> None:
    for missing in (file.with_name("nothing"), file.parent / "no" / "file", file / "file"):
        error = refusal(missing)
        assert isinstance(error, StoreUnavailable)
        assert str(missing.parent) in str(error)
        assert error.hint
    assert "key file" in str(refusal(file.with_name("nothing")))


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_is_out_of_reach_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open" if which == "file" else "stat", refuse)
    error = refusal(file)
    assert isinstance(error, AccessDenied)
    assert str(file.parent) in str(error)


def test_a_disk_that_fails_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "readv", fail)
    assert isinstance(refusal(file), StoreUnavailable)
    assert "Input/output error" in str(refusal(file))


def test_a_file_that_is_cut_while_it_is_read_is_given_as_far_as_it_goes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readv = os.readv

    def slowly(fd: int, buffers: list[memoryview]) -> int:
        count = readv(fd, [buffers[0][:10]])
        os.truncate(file, 15)
        return count

    monkeypatch.setattr(os, "readv", slowly)
    assert read_private(file, "key file", 100)[1] == SECRET[:15]


def test_makes_folders_that_may_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "two"
    for _ in range(2):
        make_folder(folder)
        check_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(StoreUnavailable, match="file"):
            make_folder(path)
    with pytest.raises(StoreUnavailable, match="is not a folder"):
        check_folder(tmp_path / "file")
