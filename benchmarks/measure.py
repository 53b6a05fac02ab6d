"""Takes turns between the programs of one comparison, and times each turn."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence

from attrs import field, frozen

BATCH = 0.005
"""Seconds; what is faster is called so often that one turn takes about this long."""
MOST_CALLS = 200


@frozen
class Contender:
    """One of the programs that are compared.

    Attributes:
        name: as the table shows it.
        turn: does the work so many times, and returns the seconds that one time took.
    """

    name: str
    turn: Callable[[int], float]


def calls(run: Callable[[int], object], count: int) -> float:
    """Seconds that one call of `run` takes; it is given how often it ran before."""
    start = time.perf_counter_ns()
    for call in range(count):
        run(call)
    return (time.perf_counter_ns() - start) / count / 1e9


def nothing() -> None:
    """What there is to do between turns that leave nothing behind."""


def here(name: str, run: Callable[[], object], reset: Callable[[], object] = nothing) -> Contender:
    """A contender that runs in this process; `reset` follows each turn and is not timed."""

    def turn(count: int) -> float:
        seconds = calls(lambda _: run(), count)
        reset()
        return seconds

    return Contender(name, turn)


@frozen
class Timing:
    """What one contender needed.

    Attributes:
        name: of the contender.
        turns: seconds for one call, on average over each turn.
    """

    name: str
    turns: tuple[float, ...] = field(repr=False)

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.turns)

    @property
    def best(self) -> float:
        """Seconds."""
        return min(self.turns)

    def speed_beside(self, peer: Timing) -> float:
        """How fast this is as a multiple of `peer`: the median over the pairs of turns."""
        pairs = zip(self.turns, peer.turns, strict=True)
        return statistics.median(theirs / own for own, theirs in pairs)


def interleave(
    contenders: Sequence[Contender], *, seconds: float, least: int
) -> tuple[Timing, ...]:
    """Time the contenders in turns, A B A B, so that a busy moment hits all of them.

    Args:
        seconds: how long to go on, for all together.
        least: turns that each gets whatever they take.
    """
    counts = [_count(contender) for contender in contenders]
    turns: list[list[float]] = [[] for _ in contenders]
    gc.collect()
    end = time.perf_counter() + seconds
    while len(turns[0]) < least or time.perf_counter() < end:
        for contender, count, own in zip(contenders, counts, turns, strict=True):
            own.append(contender.turn(count))
    return tuple(
        Timing(contender.name, tuple(own)) for contender, own in zip(contenders, turns, strict=True)
    )


def _count(contender: Contender) -> int:
    """How often to call it in a turn; the first call also warms it up."""
    if contender.turn(1) > BATCH:
        return 1
    return max(1, min(MOST_CALLS, round(BATCH / contender.turn(1))))
