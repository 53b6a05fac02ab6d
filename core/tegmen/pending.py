"""An output file that appears under its name whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from tegmen.buffers import Larger, fresh
from tegmen.errors import OutputError, OutputExists
from tegmen.sinks import FileSink, cannot_write


class PendingFile:
    """An output file that does not exist under its name until `commit`.

    Until then it has no name in the folder at all where the system can do that (O_TMPFILE),
    else a random one, `.*.part`, which `discard` removes. What a kill leaves behind:

    - without `force`, nothing where O_TMPFILE works, else the unfinished file;
    - with `force`, and for a moment, the complete file under a random name beside the old one:
      a file without a name cannot replace another in one step.

    What is left has the mode it was made with, so an opened original is its owner's alone.

    With `force` only a regular file is replaced, or a symbolic link to one or to nothing: the
    link itself, never what it leads to. Devices, FIFOs, sockets and folders stay.
    """

    def __init__(self, path: Path, *, force: bool = False, mode: int = 0o666) -> None:
        self.path = path
        self._force = force
        self._temporary: Path | None = None
        self._check_place()
        try:
            self.fd = self._open(mode)
        except OSError as error:
            raise cannot_write(str(path), error) from error

    def _check_place(self) -> None:
        found = status(self.path, follow_symlinks=self._force)
        if found is not None and not self._force:
            raise self._exists()
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise OutputError(
                f"{self.path} is not a regular file", hint="only files are replaced; name another"
            )

    def _exists(self) -> OutputExists:
        return OutputExists(f"{self.path} exists", hint="give --force, or another name")

    def _open(self, mode: int) -> int:
        folder = self.path.parent
        if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                return os.open(folder, os.O_TMPFILE | os.O_RDWR, mode)
        self._temporary = folder / f".{self.path.name[:100]}.{secrets.token_hex(8)}.part"
        return os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def sink(self, larger: Larger = fresh) -> FileSink:
        return FileSink(self.fd, str(self.path), patchable=True, larger=larger)

    def commit(self) -> None:
        """Make it durable and give it its name, in one step that cannot be seen half done."""
        try:
            os.fsync(self.fd)
            self._name()
            self._sync_folder()
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            raise cannot_write(str(self.path), error) from error
        finally:
            self.discard()

    def _name(self) -> None:
        if self._temporary is None and not self._force:
            self._link(self.path)
            return
        if self._temporary is None:
            self._temporary = self.path.parent / f".{secrets.token_hex(12)}.part"
            self._link(self._temporary)
        if self._force:
            os.replace(self._temporary, self.path)
            self._temporary = None
            return
        try:
            os.link(self._temporary, self.path)
        except PermissionError:  # a file system without hard links
            if os.path.lexists(self.path):
                raise self._exists() from None
            os.replace(self._temporary, self.path)
            self._temporary = None

    def _link(self, path: Path) -> None:
        # Without a directory descriptor Python may call link(), which follows no link.
        source = f"/proc/self/fd/{self.fd}"
        os.link(source, path, src_dir_fd=self.fd, follow_symlinks=True)

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Close it, and remove whatever name it had before `commit`."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._temporary = None


def status(path: Path, *, follow_symlinks: bool = True) -> os.stat_result | None:
    """What is at `path`; None if there is nothing.

    Raises:
        OutputError: nothing can be there.
    """
    try:
        return os.stat(path, follow_symlinks=follow_symlinks)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_write(str(path), error) from error
    except ValueError as error:
        raise cannot_write(repr(str(path)), error) from error
