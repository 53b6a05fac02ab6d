"""Does jobs one after the other, or in several processes, and hands out what became of each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from functools import cache
from multiprocessing import connection
from typing import Final

from tegmen.cli.jobs import Job
from tegmen.cli.work import Outcome, Work, attempt
from tegmen.errors import TegmenError
from tegmen.sealer import Sealer

START_METHOD: Final = "fork"
"""Safe because it happens before any thread, key or image is here; others start 0.2 s later."""
CHUNK_FILES: Final = 16
CHUNK_BYTES: Final = 32 << 20
WAITING: Final = 2
"""Chunks for each process that are waiting or at work: enough that none ever idles."""


class Pool:
    """Several processes, each with a sealer of its own, at work as soon as this is made.

    Args:
        config: path of the configuration, which is known to be valid.
        work: what to do to each job.
        jobs: in any order of outcome.
        processes: how many.
    """

    def __init__(self, config: str, work: Work, jobs: Sequence[Job], processes: int) -> None:
        self._call = (config, work)
        self._chunks = _chunks(jobs, processes)
        self._executor = ProcessPoolExecutor(
            processes, multiprocessing.get_context(START_METHOD), _start
        )
        self._running: set[Future[list[Outcome]]] = set()
        for _ in range(WAITING * processes):
            self._submit()

    def _submit(self) -> None:
        chunk = next(self._chunks, None)
        if chunk:
            self._running.add(self._executor.submit(_do, *self._call, chunk))

    def outcomes(self) -> Generator[Outcome, None, None]:
        """What became of each job, as soon as it is known.

        Raises:
            TegmenError: a process died.
        """
        try:
            while self._running:
                done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._submit()
                    yield from future.result()
        except BrokenExecutor as error:
            raise TegmenError(
                "a process that was sealing or opening files died",
                hint="memory may be short: try again with a smaller -j",
            ) from error
        finally:
            self._stop()

    def _stop(self) -> None:
        """Interrupt what is still at work, so that it removes what it has half written."""
        done = threading.Event()
        if self._running:
            threading.Thread(target=_interrupt_children, args=(done,), daemon=True).start()
        self._executor.shutdown(cancel_futures=True)
        done.set()


def _interrupt_children(done: threading.Event) -> None:
    """Again and again: a process ignores it when it is between two chunks."""
    while not done.wait(0.02):
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGINT)


def _chunks(jobs: Sequence[Job], processes: int) -> Iterator[list[Job]]:
    """Jobs to be sent at once: few enough that all processes end at about the same time."""
    most = max(1, min(CHUNK_FILES, len(jobs) // (4 * processes)))
    chunk: list[Job] = []
    size = 0
    for job in jobs:
        chunk.append(job)
        size += job.size
        if len(chunk) == most or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


# --------------------------------------------------------------------------- in the processes


@cache
def _sealer(config: str) -> Sealer:
    return Sealer.from_file(config)


def _start() -> None:
    """Ctrl-C reaches every process; between two chunks it means nothing here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """The queue that a process waits on stays open when its parent is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _do(config: str, work: Work, jobs: Sequence[Job]) -> list[Outcome]:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sealer = _sealer(config)
        return [attempt(work, sealer, job) for job in jobs]
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
