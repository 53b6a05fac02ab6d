"""Runs one command over its files: progress, receipts, failures, and the exit code."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from typing import Final

import click
from attrs import asdict, frozen
from rich.filesize import decimal

from tegmen.cli.faults import SOME_FAILED, Fault, fault_of, show
from tegmen.cli.jobs import Job, Jobs
from tegmen.cli.progress import Progress, watching
from tegmen.cli.settings import Settings
from tegmen.cli.streams import STREAM
from tegmen.cli.work import Outcome, Outputs, Work, attempt
from tegmen.policy import EXPLICIT
from tegmen.profile import Config
from tegmen.receipts import Receipt


@frozen
class Verb:
    """How a command speaks of what it does.

    Attributes:
        doing, done: for instance `sealing` and `sealed`.
        tell: one success in a line for people.
        always: whether that line is what the command is for; else it is told of a single file.
        passes: how often it reads a file under a configuration.
    """

    doing: str
    done: str
    tell: Callable[[Outcome, Receipt], str]
    always: bool = False
    passes: Callable[[Config], int] = lambda _: 1


def run(settings: Settings, verb: Verb, work: Work, jobs: Jobs, processes: int = 1) -> int:
    """Do all jobs.

    Returns:
        The exit code: 0, that of the one file that failed, or `SOME_FAILED` of several.
    """
    tally = Tally(settings, verb, jobs)
    for folder, error in jobs.unreadable:
        tally.add(Outcome(Job(folder), fault_of(error)))
    try:
        with contextlib.closing(_outcomes(settings, verb, work, jobs, processes)) as outcomes:
            for outcome in outcomes:
                tally.add(outcome)
    except KeyboardInterrupt:
        tally.summarise()
        raise
    tally.summarise()
    return tally.exit_code


def _outcomes(
    settings: Settings, verb: Verb, work: Work, jobs: Jobs, processes: int
) -> Generator[Outcome, None, None]:
    sealer = settings.sealer()
    passes = verb.passes(sealer.config)
    processes = min(processes, len(jobs.jobs))
    if processes < 2:
        with watching(settings.screen, verb.doing, jobs, passes) as progress:
            watch = progress.moved if progress.watches_bytes else None
            for job in jobs.jobs:
                yield _finish(progress, attempt(work, sealer, job, watch))
        return
    from tegmen.cli.pool import Pool

    pool = Pool(settings.config_path, work, jobs.jobs, processes)  # before a bar starts a thread
    with (
        watching(settings.screen, verb.doing, jobs, passes) as progress,
        contextlib.closing(pool.outcomes()) as outcomes,
    ):
        for outcome in outcomes:
            yield _finish(progress, outcome)


def _finish(progress: Progress, outcome: Outcome) -> Outcome:
    progress.finished(outcome.job.size)
    return outcome


@contextlib.contextmanager
def outputs(jobs: Jobs, force: bool) -> Iterator[Outputs]:
    """The rules for outputs, for as long as the block runs."""
    with contextlib.ExitStack() as stack:
        claims = ""
        if force and jobs.several:
            claims = stack.enter_context(tempfile.TemporaryDirectory(prefix="tegmen-"))
        yield Outputs(force, jobs.named, claims)


class Tally:
    """Counts outcomes, and tells them as they come."""

    def __init__(self, settings: Settings, verb: Verb, jobs: Jobs) -> None:
        self._settings = settings
        self._screen = settings.screen
        self._verb = verb
        self._jobs = jobs
        self._started = time.monotonic()
        self._files = 0
        self._bytes = 0
        self._failed: list[tuple[str, Fault]] = []

    @property
    def exit_code(self) -> int:
        """Of all that was added."""
        if not self._failed:
            return 0
        alone = len(self._jobs.jobs) + len(self._jobs.unreadable) == 1
        return self._failed[0][1].exit_code if alone else SOME_FAILED

    def add(self, outcome: Outcome) -> None:
        """Count one, and tell it."""
        if isinstance(outcome.result, Fault):
            self._add_failure(outcome.job.source, outcome.result)
        else:
            self._add_success(outcome, outcome.result)

    def _add_success(self, outcome: Outcome, receipt: Receipt) -> None:
        self._files += 1
        self._bytes += receipt.size
        for warning in receipt.warnings:
            self._screen.warn(f"{outcome.job.source}: {warning}")
        if self._settings.json:
            where = {"input": outcome.job.source, "output": outcome.target}
            self._screen.document({**where, **asdict(receipt)})
        elif self._verb.always and not self._settings.quiet:
            self._screen.data(self._verb.tell(outcome, receipt))
        elif not self._jobs.several:
            self._screen.note(self._verb.tell(outcome, receipt))

    def _add_failure(self, source: str, fault: Fault) -> None:
        self._failed.append((source, fault))
        if self._settings.debug:
            click.echo(fault.trace, err=True)
        if not self._jobs.several:
            show(fault, json=self._settings.json)
        elif self._settings.json:
            self._screen.document({"input": source, "error": fault.as_json})

    def summarise(self) -> None:
        """Tell people what became of several files."""
        if not self._jobs.several:
            return
        for path in self._jobs.skipped:
            self._screen.note(f"skipped {path}: a link or a device")
        seconds = time.monotonic() - self._started
        files = "1 file" if self._files == 1 else f"{self._files:,} files"
        size = decimal(self._bytes)
        self._screen.note(f"{self._verb.done} {files}, {size}, in {seconds:.1f} s")
        for source, fault in self._failed:
            self._screen.fail(f"{source}: {fault}")
        if self._failed:
            total = self._files + len(self._failed)
            self._screen.fail(f"{len(self._failed):,} of {total:,} files failed")


def refuse_mixed(settings: Settings, output: str) -> None:
    """Raises click.UsageError if a document and a file would both go to standard output."""
    if settings.json and output == STREAM:
        raise click.UsageError("--json and -o - both want standard output; name a file after -o")


# --------------------------------------------------------------------------- the three commands


def _sealed(outcome: Outcome, receipt: Receipt) -> str:
    chosen = f"rule {receipt.rule}" if receipt.rule != EXPLICIT else "named by you"
    unproved = f"\n  not tried here: {', '.join(receipt.unproved)}" if receipt.unproved else ""
    return (
        f"{outcome.job.source} -> {outcome.target}\n"
        f"  sealed with profile {receipt.profile} ({chosen}): {receipt.cipher} in "
        f"{receipt.carrier}, for {', '.join(receipt.keys)}{unproved}"
    )


def _opened(outcome: Outcome, receipt: Receipt) -> str:
    return (
        f"{outcome.job.source} -> {outcome.target}\n"
        f"  {receipt.size:,} bytes restored and verified with {', '.join(receipt.keys)}"
    )


def _verified(outcome: Outcome, receipt: Receipt) -> str:
    return f"{outcome.job.source}: ok, {receipt.size:,} bytes, opened by {', '.join(receipt.keys)}"


def _passes_to_seal(config: Config) -> int:
    """What is verified is read a second time."""
    return 2 if any(profile.verify for profile in config.profiles.values()) else 1


SEALING: Final = Verb("sealing", "sealed", _sealed, passes=_passes_to_seal)
OPENING: Final = Verb("opening", "opened", _opened)
VERIFYING: Final = Verb("verifying", "verified", _verified, always=True)
