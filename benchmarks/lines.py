"""What a row of the table says, and whether it meets its target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

from attrs import asdict, evolve, frozen

from benchmarks.bench import Bench
from benchmarks.measure import Contender, Timing

UNITS: Final = {"us": 1e6, "ms": 1e3, "s": 1.0}


@frozen
class Target:
    """What a line has to reach.

    Attributes:
        limit: see `of`.
        of: `figure`, at most `limit`, in the line's unit; `ratio`, at least `limit`.
    """

    limit: float
    of: Literal["figure", "ratio"]

    def met(self, figure: float, ratio: float | None) -> bool | None:
        """None where there is no peer to be compared with."""
        if self.of == "figure":
            return figure <= self.limit
        return None if ratio is None else ratio >= self.limit


def at_most(limit: float) -> Target:
    """The figure itself is at most `limit`."""
    return Target(limit, "figure")


def times_as_fast(limit: float) -> Target:
    """At least `limit` times as fast as the peer, pair by pair."""
    return Target(limit, "ratio")


@frozen
class Line:
    """One line of the table.

    Attributes:
        row: name of the row that it belongs to.
        what: was done.
        unit: of both figures.
        figure: tegmen's.
        peer: what it is compared with; empty for nothing.
        peer_figure: in the same unit.
        ratio: tegmen's speed as a multiple of the peer's; None where it is no speed.
        target: None where nothing was promised.
        best: tegmen's best turn.
        turns: how many turns each had.
    """

    row: str
    what: str
    unit: str
    figure: float
    peer: str = ""
    peer_figure: float | None = None
    ratio: float | None = None
    target: Target | None = None
    best: float | None = None
    turns: int = 1

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None if there is none, or nothing to tell it by."""
        return None if self.target is None else self.target.met(self.figure, self.ratio)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.met}


@frozen
class Row:
    """Something that is measured; it gives one line for each peer.

    Attributes:
        name: for `--only`.
        about: what is included, and why the comparison is fair or not.
        run: measures it.
    """

    name: str
    about: str
    run: Callable[[Bench], Iterable[Line]]


def compare(
    bench: Bench,
    row: str,
    what: str,
    unit: str,
    contenders: Sequence[Contender],
    target: Target | None = None,
    **turns: Any,
) -> list[Line]:
    """Time the first contender, tegmen, beside the others: one line for each of those.

    Args:
        unit: of time.
        target: if for the ratio, of every line; if for the figure, of the first.
        turns: see `Bench.times`.
    """
    own, *peers = bench.times(contenders, **turns)
    line = Line(
        row,
        what,
        unit,
        own.median * UNITS[unit],
        target=target,
        best=own.best * UNITS[unit],
        turns=len(own.turns),
    )
    return with_peers(line, [_beside(line, own, peer) for peer in peers])


def _beside(line: Line, own: Timing, peer: Timing) -> Line:
    figure = peer.median * UNITS[line.unit]
    return evolve(line, peer=peer.name, peer_figure=figure, ratio=own.speed_beside(peer))


def with_peers(line: Line, beside: Sequence[Line]) -> list[Line]:
    """The line alone, or one for each peer; a target for the figure itself is judged once."""
    if not beside:
        return [line]
    if line.target is None or line.target.of == "ratio":
        return list(beside)
    return [beside[0], *(evolve(further, target=None) for further in beside[1:])]
