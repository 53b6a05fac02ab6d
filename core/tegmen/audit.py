"""What happened, and to whom it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from tegmen.errors import AuditRefused
from tegmen.interfaces import AuditSink, Event

Action = Literal["seal", "open", "open-part", "verify"]


class MemorySink:
    """Keeps the newest events in memory: for tests, and for a caller who passes them on."""

    def __init__(self, most: int = 1000) -> None:
        self.events: deque[Event] = deque(maxlen=most)

    def emit(self, event: Event) -> None:
        self.events.append(event)


class Trail:
    """The sinks that are told, and who acts."""

    def __init__(self, sinks: Sequence[AuditSink], actor: str) -> None:
        self._sinks = tuple(sinks)
        self._actor = actor

    def operation(self, action: Action) -> Operation:
        """What is told of one operation, for a `with` block around all of it."""
        return Operation(action, self._sinks, self._actor)


class Operation:
    """Tells every sink the intent of one operation, and how it ended: done or failed.

    Every end of the `with` block by an exception is told as `failed`, an interrupt too. It
    follows a `done` only if that did not stand: a sink refused it, or the finished file could
    not get its name.

    Attributes:
        object_id, keys, profile, rule: as in `Event`, filled in as they become known.
    """

    __slots__ = ("_action", "_actor", "_sinks", "keys", "object_id", "profile", "rule")

    def __init__(self, action: Action, sinks: tuple[AuditSink, ...], actor: str) -> None:
        self._action = action
        self._sinks = sinks
        self._actor = actor
        self.object_id = self.profile = self.rule = ""
        self.keys: tuple[str, ...] = ()

    def tell(self, phase: Literal["intent", "done"]) -> None:
        """Raises AuditRefused when a sink vetoes the event or cannot record it."""
        if not self._sinks:
            return
        event = self._event(phase)
        for sink in self._sinks:
            try:
                sink.emit(event)
            except AuditRefused:
                raise
            except Exception as error:
                raise AuditRefused(
                    f"an audit sink could not record {self._action} ({type(error).__name__})",
                    hint="mend the sink; nothing is sealed or opened while it cannot record",
                ) from error

    def __enter__(self) -> Operation:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and self._sinks:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """Only the kind of the error is told; a sink that fails now does not hide it."""
        event = self._event("failed", type(error).__name__)
        for sink in self._sinks:
            try:
                sink.emit(event)
            except Exception as problem:  # noqa: BLE001  # a sink is foreign code
                kind = type(problem).__name__
                error.add_note(f"an audit sink could not record this failure ({kind})")

    def _event(self, phase: Literal["intent", "done", "failed"], reason: str = "") -> Event:
        return Event(
            self._action,
            phase,
            self.object_id,
            self.keys,
            self.profile,
            self.rule,
            self._actor,
            reason,
        )
