"""The bar that people watch: files, bytes, rate and time left; only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tegmen.cli.jobs import Jobs
from tegmen.cli.screen import Screen, console
from tegmen.cli.streams import STREAM, is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar, TaskID

WORTH_WATCHING: Final = 64 << 20
"""Bytes of a single file from which on a bar is shown."""


class Progress:
    """Told what happens, shows nothing."""

    watches_bytes = False

    def moved(self, size: int) -> None:
        """So many bytes of the present file were read."""

    def finished(self, size: int) -> None:
        """A file of that size is done."""


class ShownProgress(Progress):
    """A bar on standard error.

    Args:
        passes: how often every byte of a file is read.
    """

    watches_bytes = True

    def __init__(self, bar: Bar, task: TaskID, passes: int) -> None:
        self._bar = bar
        self._task = task
        self._passes = passes
        self._files = 0
        self._whole = 0
        self._moved = 0

    def moved(self, size: int) -> None:
        self._moved += size
        self._bar.update(self._task, completed=self._whole + self._moved // self._passes)

    def finished(self, size: int) -> None:
        self._files += 1
        self._whole += size
        self._moved = 0
        self._bar.update(self._task, completed=self._whole, files=self._files)


@contextmanager
def watching(screen: Screen, doing: str, jobs: Jobs, passes: int) -> Iterator[Progress]:
    """A bar while the block runs, if somebody watches and it is worth it."""
    total = sum(job.size for job in jobs.jobs)
    stream = jobs.jobs[0].source == STREAM if jobs.jobs else True
    worth = (jobs.several or total >= WORTH_WATCHING) and not stream
    if screen.quiet or not worth or not is_terminal(sys.stderr):
        yield Progress()
        return
    with _bar() as bar:
        task = bar.add_task(doing, total=total, files=0, of=len(jobs.jobs))
        yield ShownProgress(bar, task, passes)


def _bar() -> Bar:
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[files]}/{task.fields[of]} files"),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )
