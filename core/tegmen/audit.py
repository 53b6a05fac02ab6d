"""What happened, and to whom it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from tegmen.errors import AuditRefused, TegmenError
from tegmen.interfaces import AuditSink, Event

Action = Literal["seal", "open", "open-part", "verify"]


class MemorySink:
    """Keeps the newest events in memory: for tests, and for a caller who passes them on."""

    def __init__(self, most: int = 1000) -> None:
        self.events: deque[Event] = deque(maxlen=most)

    def emit(self, event: Event) -> None:
        self.events.append(event)


class Trail:
    """Tells every sink; one that fails on an intent stops the operation."""

    def __init__(self, sinks: Sequence[AuditSink]) -> None:
        self._sinks = tuple(sinks)

    def tell(self, event: Event) -> None:
        """Raises AuditRefused when a sink vetoes the event or cannot record it."""
        for sink in self._sinks:
            try:
                sink.emit(event)
            except AuditRefused:
                raise
            except Exception as error:
                raise AuditRefused(
                    f"an audit sink could not record {event.action} ({type(error).__name__})",
                    hint="mend the sink; nothing is opened while it cannot record",
                ) from error

    def failed(self, action: Action, error: BaseException, object_id: str = "") -> None:
        """Record that `action` ended in `error`; only the kind of a typed error is told."""
        if isinstance(error, TegmenError):
            self.tell(Event(action, "failed", object_id, reason=type(error).__name__))
