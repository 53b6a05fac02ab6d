"""What `SRC...` and `-o` mean: one job for each file, and where its output goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

import click
from attrs import field, frozen

from tegmen.cli.streams import STREAM, is_terminal
from tegmen.errors import InputError


@frozen
class Job:
    """One file to work on.

    Attributes:
        source: its path, or `-`.
        folder: of the output, if the output's name follows from the input; else empty.
        target: path of the output, or `-`, if the user named it; else empty.
        size: bytes of the source, as far as known.
    """

    source: str
    folder: str = ""
    target: str = ""
    size: int = 0


@frozen
class Jobs:
    """All that one command is to do.

    Attributes:
        jobs: in the order given, folders sorted by name.
        several: whether the user named more than one file.
        skipped: links and devices that stand in walked folders.
        unreadable: folders that could not be walked, and why.
        named: real paths of the files that the user named; no output may replace them.
    """

    jobs: tuple[Job, ...]
    several: bool
    skipped: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, InputError], ...] = ()
    named: frozenset[str] = field(default=frozenset(), repr=False)


def plan(sources: Sequence[str], out: str | None) -> Jobs:
    """The jobs for `sources`.

    Args:
        sources: files, folders, or `-`.
        out: as the user gave it: a file for one source, a folder for several or for a folder
            source; None where nothing is written.

    Raises:
        click.UsageError: sources and output do not go together.
        InputError: a folder source holds no file.
    """
    if STREAM in sources and len(sources) > 1:
        raise click.UsageError("- is one source, and stands alone")
    folders = [source for source in sources if os.path.isdir(source)]
    several = len(sources) > 1 or bool(folders)
    if not several:
        return Jobs(
            (_single(sources[0], out),), several=False, named=frozenset(_real_names(sources))
        )
    if out == STREAM:
        raise click.UsageError("standard output takes one file; name a folder after -o")
    _check_folders(folders, out)
    return _Walk(out).through(sources)


def _single(source: str, out: str | None) -> Job:
    size = 0 if source == STREAM else _size(source)
    if out is None:
        return Job(source, size=size)
    if out == STREAM and is_terminal(sys.stdout):
        raise click.UsageError(
            "the output is not text, and standard output is a terminal; "
            "name a file after -o, or pipe it into a program"
        )
    if out != STREAM and (os.path.isdir(out) or out.endswith(("/", os.sep))):
        return Job(source, folder=out, size=size)
    return Job(source, target=out, size=size)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # reading it says why


def _check_folders(folders: Sequence[str], out: str | None) -> None:
    if out is None:
        return
    if os.path.lexists(out) and not os.path.isdir(out):
        raise click.UsageError(f"{out} is a file, and the output of several sources is a folder")
    inside = os.path.realpath(out)
    for folder in folders:
        if within(inside, os.path.realpath(folder)):
            raise click.UsageError(f"the output {out} lies inside the source {folder}")


def within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it; both are real paths."""
    return os.path.commonpath((path, folder)) == folder


def _real_names(files: Sequence[str]) -> Iterator[str]:
    """Under which real names the files would be hit by an output: their own, and a link's."""
    for file in files:
        if file != STREAM:
            yield os.path.realpath(file)
            yield real_name(file)


def real_name(path: str) -> str:
    """`path` with all links in its folder resolved, but not the last name."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


class _Walk:
    """Collects the files under all sources."""

    def __init__(self, out: str | None) -> None:
        self._out = out
        self._jobs: list[Job] = []
        self._skipped: list[str] = []
        self._unreadable: list[tuple[str, InputError]] = []

    def through(self, sources: Sequence[str]) -> Jobs:
        named = [source for source in sources if not os.path.isdir(source)]
        for source in sources:
            if not os.path.isdir(source):
                self._jobs.append(Job(source, folder=self._folder(), size=_size(source)))
                continue
            before = len(self._jobs) + len(self._unreadable)
            # Beside other sources a folder keeps its own name, as two may hold one name.
            own = os.path.basename(os.path.realpath(source)) if len(sources) > 1 else ""
            self._folder_source(source, own, os.path.realpath(source))
            if len(self._jobs) + len(self._unreadable) == before:
                raise InputError(f"there is no file in {source}", hint="links are not followed")
        self._refuse_equal()
        return Jobs(
            tuple(self._jobs),
            several=True,
            skipped=tuple(self._skipped),
            unreadable=tuple(self._unreadable),
            named=frozenset(_real_names(named)),
        )

    def _folder(self, *below: str) -> str:
        return "" if self._out is None else os.path.join(self._out, *filter(None, below))

    def _folder_source(self, folder: str, own: str, top: str) -> None:
        waiting = [(folder, own)]
        while waiting:
            folder, below = waiting.pop()
            target = self._folder(below)
            if target and within(os.path.realpath(target), top):
                raise click.UsageError(f"the output {target} lies inside the source {top}")
            found = self._folder_entries(folder, target)
            waiting += [(entry.path, os.path.join(below, entry.name)) for entry in reversed(found)]

    def _folder_entries(self, folder: str, target: str) -> list[os.DirEntry[str]]:
        """Makes jobs of the files in one folder, and returns the folders in it."""
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            reason = InputError(f"cannot read the folder {folder}: {error.strerror}")
            self._unreadable.append((folder, reason))
            return []
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                size = entry.stat(follow_symlinks=False).st_size
                self._jobs.append(Job(entry.path, folder=target, size=size))
            elif not entry.is_dir(follow_symlinks=False):
                self._skipped.append(entry.path)
        return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]

    def _refuse_equal(self) -> None:
        """Two files of one name would end up as one."""
        if self._out is None:
            return
        seen: dict[tuple[str, str], str] = {}
        for job in self._jobs:
            name = (job.folder, os.path.basename(job.source))
            if name in seen:
                raise click.UsageError(
                    f"{seen[name]} and {job.source} would have the same output; "
                    "give each its own folder"
                )
            seen[name] = job.source
