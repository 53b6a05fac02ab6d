"""What is done to one file: seal, open or verify it; picklable, so that any process can do it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Protocol

from attrs import field, frozen

from tegmen.cli.faults import Fault, fault_of
from tegmen.cli.jobs import Job, real_name
from tegmen.cli.streams import STREAM, flush_output, standard_input, standard_output
from tegmen.errors import OutputError, OutputExists
from tegmen.files import Readable, reading
from tegmen.interfaces import Reader
from tegmen.manifest import check_name
from tegmen.receipts import Receipt
from tegmen.sealer import Sealer


class Work(Protocol):
    """What is done to every job of one command."""

    def __call__(self, sealer: Sealer, job: Job, source: Readable, /) -> tuple[str, Receipt]:
        """Do it; where the output is (empty if there is none), and what was done.

        Args:
            source: what to read; the job's source, or a reader over it.
        """


@frozen
class Outcome:
    """What became of one job.

    Attributes:
        result: what was done, or why not.
        target: where the output is; empty if there is none.
    """

    job: Job
    result: Receipt | Fault
    target: str = ""


def attempt(
    work: Work, sealer: Sealer, job: Job, watch: Callable[[int], None] | None = None
) -> Outcome:
    """Do one job; failures are outcomes, only an interruption is raised.

    Args:
        watch: told how many bytes were read, each time some are.
    """
    try:
        with _input(job, watch) as source:
            target, receipt = work(sealer, job, source)
    except Exception as error:  # noqa: BLE001  # one file must not keep the others from being done
        return Outcome(job, fault_of(error))
    return Outcome(job, receipt, target)


@contextmanager
def _input(job: Job, watch: Callable[[int], None] | None) -> Iterator[Readable]:
    if job.source == STREAM:
        yield standard_input()
    elif watch is None:
        yield job.source
    else:
        with reading(job.source) as (reader, _):
            yield _Watched(reader, watch)


class _Watched:
    """A reader that tells how much of it is read."""

    def __init__(self, reader: Reader, watch: Callable[[int], None]) -> None:
        self.origin = reader  # by this name the core finds the file, to protect it
        self._watch = watch
        self.size = reader.size

    def view(self, offset: int, length: int) -> memoryview:
        self._watch(length)
        return self.origin.view(offset, length)


@frozen
class Outputs:
    """Decides where an output goes, and what it may replace.

    Attributes:
        force: whether it may replace a file that was there before.
        named: real paths of sources, which nothing may replace.
        claims: folder that remembers, for all processes, what was written by this command;
            empty where only one file is.
    """

    force: bool
    named: frozenset[str] = field(default=frozenset(), repr=False)
    claims: str = ""

    def place(self, job: Job, name: str) -> str:
        """The path of the output, or `-`.

        Args:
            name: of the file, if the user named none.

        Raises:
            OutputError: it cannot be there.
        """
        if job.target:
            path = job.target
        else:
            path = os.path.join(job.folder, name)
            _make_folder(job.folder)
        if self.force and path != STREAM:
            self._refuse(path)
        return path

    def _refuse(self, path: str) -> None:
        if real_name(path) in self.named:
            raise OutputExists(
                f"{path} is itself a source", hint="sources are never replaced; name another output"
            )
        if self.claims and not self._claim(path):
            raise OutputExists(
                f"{path} was just written from another input",
                hint="two inputs have one name; give each its own output folder",
            )

    def _claim(self, path: str) -> bool:
        name = hashlib.sha256(os.fsencode(real_name(path))).hexdigest()
        try:
            os.close(os.open(os.path.join(self.claims, name), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error


def _sink(path: str) -> str | IO[bytes]:
    return standard_output() if path == STREAM else path


@frozen
class Seal:
    """Seals each source.

    Attributes:
        name: base name to restore; None takes the source's own.
        declared: attributes for the rules.
    """

    outputs: Outputs
    profile: str | None
    context: Mapping[str, str]
    declared: Mapping[str, str]
    name: str | None

    def __call__(self, sealer: Sealer, job: Job, source: Readable) -> tuple[str, Receipt]:
        own_name = "" if job.source == STREAM else os.path.basename(job.source)
        placed: list[str] = []

        def target(name: str) -> str | IO[bytes]:
            placed.append(self.outputs.place(job, name))
            return _sink(placed[0])

        receipt = sealer.seal(
            source,
            target,
            self.profile,
            self.context,
            self.declared,
            name=self.name or own_name,
            force=self.outputs.force,
        )
        if placed[0] == STREAM:
            flush_output()
        return placed[0], receipt


@frozen
class Open:
    """Restores the original of each sealed file."""

    outputs: Outputs
    context: Mapping[str, str]

    def __call__(self, sealer: Sealer, job: Job, source: Readable) -> tuple[str, Receipt]:
        with sealer.opened(source, self.context) as opened:
            name = "" if job.target else check_name(opened.name)
            path = self.outputs.place(job, name)
            receipt = opened.restore(_sink(path), force=self.outputs.force)
            if path == STREAM:
                flush_output()
            return path, receipt


@frozen
class Verify:
    """Checks each sealed file all through."""

    context: Mapping[str, str]

    def __call__(self, sealer: Sealer, job: Job, source: Readable) -> tuple[str, Receipt]:
        return "", sealer.verify(source, self.context)
