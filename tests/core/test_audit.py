"""What an audit sink is told of an operation, what it can stop, and what its failure hides."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tegmen import MemorySink, Sealer
from tegmen.errors import (
    AuditRefused,
    ConfigError,
    IntegrityError,
    NotSealed,
    OutputError,
    PluginNotFound,
    PolicyRefused,
)
from tegmen.interfaces import Event, KeyStore
from tegmen.testing.hostile_keystores import FailingKeyStore

MakeSealer = Callable[..., Sealer]
PHASES = ["intent", "done"]


class Failing:
    """A sink that fails on one phase, and keeps what it was told before."""

    def __init__(self, phase: str, error: BaseException) -> None:
        self._phase = phase
        self._error = error
        self.phases: list[str] = []

    def emit(self, event: Event) -> None:
        self.phases.append(event.phase)
        if event.phase == self._phase:
            raise self._error


class Broken(io.RawIOBase):
    """A stream that fails in a way of its own."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise self._error


@pytest.fixture
def heard(sealer: Sealer, audit: MemorySink) -> Callable[..., list[Event]]:
    """Makes the sealer act, and gives what was told of it."""

    def hear(act: Callable[[], object], error: type[BaseException] | None = None) -> list[Event]:
        audit.events.clear()
        if error is None:
            act()
        else:
            with pytest.raises(error):
                act()
        return list(audit.events)

    return hear


@pytest.fixture
def actor(make_sealer: MakeSealer, audit: MemorySink) -> Sealer:
    plain = make_sealer()
    return Sealer(plain.config, plain.registry, audit=[audit], actor="dr-jane")


def sealed_by(sealer: Sealer) -> bytes:
    target = io.BytesIO()
    sealer.seal(b"image", target)
    return target.getvalue()


def with_sink(sealer: Sealer, *sinks: Any) -> Sealer:
    return Sealer(sealer.config, sealer.registry, audit=sinks)


def test_sealing_tells_intent_and_end_with_the_same_fields(
    actor: Sealer, audit: MemorySink
) -> None:
    receipt = actor.seal(b"image", io.BytesIO())
    intent, done = audit.events
    assert [intent.phase, done.phase] == PHASES
    assert evolve(intent, phase="done") == done
    assert done == Event(
        "seal",
        "done",
        receipt.object_id,
        ("local/images@1", "recovery/recovery@1"),
        "plain",
        "everything-else",
        "dr-jane",
    )


@pytest.mark.parametrize("action", ["open", "open-part", "verify"])
def test_opening_tells_intent_and_end_with_the_same_fields(
    actor: Sealer, audit: MemorySink, action: str
) -> None:
    sealed = sealed_by(actor)
    object_id = audit.events[0].object_id
    audit.events.clear()
    if action == "open":
        actor.open(sealed, io.BytesIO())
    elif action == "verify":
        actor.verify(sealed)
    else:
        actor.open_part(sealed, 0)
    intent, done = audit.events
    assert evolve(intent, phase="done") == done
    assert intent == Event(
        action, "intent", object_id, ("local/images@1",), "plain", actor="dr-jane"
    )


def test_a_failure_is_told_with_all_that_is_known(actor: Sealer, audit: MemorySink) -> None:
    sealed = sealed_by(actor)
    audit.events.clear()
    with pytest.raises(IntegrityError):
        actor.open(sealed[:-1] + b"?", io.BytesIO())
    intent, failed = audit.events
    assert failed == evolve(intent, phase="failed", reason="SegmentAltered")
    audit.events.clear()
    with pytest.raises(NotSealed):
        actor.open(b"no", io.BytesIO())
    assert list(audit.events) == [Event("open", "failed", actor="dr-jane", reason="NotSealed")]


def test_a_store_that_refuses_is_told_with_profile_and_rule(
    make_sealer: MakeSealer, stores: dict[str, KeyStore], audit: MemorySink
) -> None:
    stores["recovery"] = FailingKeyStore(stores["recovery"], 0)
    sealer = make_sealer()
    with pytest.raises(Exception, match=r"."):
        sealer.seal(b"image", io.BytesIO())
    (failed,) = audit.events
    assert (failed.profile, failed.rule) == ("plain", "everything-else")
    assert (failed.phase, failed.reason) == ("failed", "StoreUnavailable")


@pytest.mark.parametrize("error", [RuntimeError("closed"), KeyboardInterrupt(), MemoryError()])
def test_errors_of_any_type_end_an_intent(
    sealer: Sealer, heard: Callable[..., list[Event]], error: BaseException
) -> None:
    sealed = sealed_by(sealer)
    for act in (
        lambda: sealer.open(sealed, Broken(error)),  # type: ignore[arg-type]
        lambda: sealer.seal(b"image", Broken(error)),  # type: ignore[arg-type]
    ):
        intent, failed = heard(act, type(error))
        assert failed == evolve(intent, phase="failed", reason=type(error).__name__)


def test_what_the_caller_does_with_an_open_object_is_part_of_the_operation(
    sealer: Sealer, heard: Callable[..., list[Event]]
) -> None:
    sealed = sealed_by(sealer)

    def act() -> None:
        with sealer.opened(sealed):
            raise LookupError

    assert [event.reason for event in heard(act, LookupError)] == ["", "LookupError"]


@pytest.mark.parametrize("error", [AuditRefused("ask the patient"), OSError("disk full")])
def test_a_sink_vetoes_before_anything_is_written(
    sealer: Sealer, tmp_path: Path, error: Exception
) -> None:
    sealed, out = sealed_by(sealer), tmp_path / "out"
    out.mkdir()
    sink = Failing("intent", error)
    guarded = with_sink(sealer, sink)
    for act in (guarded.open, guarded.seal):
        stream = io.BytesIO()
        for target in (out / "file", stream):
            with pytest.raises(AuditRefused):
                act(sealed, target)
        assert stream.getvalue() == b""
    with pytest.raises(AuditRefused):
        guarded.open_part(sealed, 0)
    assert list(out.iterdir()) == []
    assert sink.phases == ["intent", "failed"] * 5


def test_what_could_not_be_recorded_as_sealed_is_not_there(sealer: Sealer, tmp_path: Path) -> None:
    guarded = with_sink(sealer, Failing("done", OSError("disk full")))
    with pytest.raises(AuditRefused, match=r"could not record seal \(OSError\)"):
        guarded.seal(b"image", tmp_path / "sealed")
    assert list(tmp_path.iterdir()) == []
    buffer = bytearray(guarded.sealed_size(b"image"))
    with pytest.raises(AuditRefused):
        guarded.seal(b"image", buffer)
    assert not any(buffer)


def test_what_was_opened_is_there_when_that_could_not_be_recorded(
    sealer: Sealer, tmp_path: Path
) -> None:
    sealed, target = sealed_by(sealer), tmp_path / "image"
    with pytest.raises(AuditRefused):
        with_sink(sealer, Failing("done", OSError("disk full"))).open(sealed, target)
    assert target.read_bytes() == b"image"


def test_a_sink_that_fails_on_a_failure_hides_neither_it_nor_the_other_sinks(
    sealer: Sealer,
) -> None:
    sealed, last = sealed_by(sealer), MemorySink()
    guarded = with_sink(sealer, Failing("failed", OSError("disk full")), last)
    with pytest.raises(IntegrityError, match="tag") as caught:
        guarded.open(sealed[:-1] + b"?", io.BytesIO())
    assert caught.value.__notes__ == ["an audit sink could not record this failure (OSError)"]
    assert [event.phase for event in last.events] == ["intent", "failed"]


def test_a_file_that_gets_no_name_is_a_failure_after_all(
    sealer: Sealer, tmp_path: Path, heard: Callable[..., list[Event]]
) -> None:
    """The file is complete and recorded when another takes its name."""

    class Racing:
        def emit(self, event: Event) -> None:
            if event.phase == "done":
                (tmp_path / "sealed").write_bytes(b"another")

    kept = MemorySink()
    with pytest.raises(OutputError):
        with_sink(sealer, kept, Racing()).seal(b"image", tmp_path / "sealed")
    assert [event.phase for event in kept.events] == ["intent", "done", "failed"]
    assert (tmp_path / "sealed").read_bytes() == b"another"


def test_a_refusal_by_the_policy_is_told(make_sealer: MakeSealer, audit: MemorySink) -> None:
    strict = make_sealer({"[profiles.plain]": '[policy]\nseal = ["x"]\n[profiles.plain]'})
    with pytest.raises(PolicyRefused):
        strict.seal(b"image", io.BytesIO())
    assert [(event.phase, event.reason) for event in audit.events] == [("failed", "PolicyRefused")]


SINK = """
from attrs import frozen
from tegmen.hooks import hookimpl
from tegmen.interfaces import Offer

@frozen
class Options:
    path: str

class Lines:
    def __init__(self, options, base):
        self.path = base / options.path

    def emit(self, event):
        with self.path.open("a") as file:
            file.write(f"{event.action} {event.phase}\\n")

@hookimpl
def tegmen_audit_sinks():
    return [Offer("lines", Lines, Options)]
"""


def test_the_configuration_names_sinks(
    make_sealer: MakeSealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "acme_lines-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-lines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tegmen.audit_sinks]\nlines = acme_lines\n")
    (tmp_path / "acme_lines.py").write_text(SINK)
    monkeypatch.syspath_prepend(str(tmp_path))

    def configured(text: str) -> Sealer:
        return make_sealer({"[profiles.plain]": f"{text}\n[profiles.plain]"})

    sealed = sealed_by(configured('[audit.log]\nkind = "lines"\npath = "log"'))
    assert (tmp_path / "log").read_text() == "seal intent\nseal done\n"
    assert sealed_by(make_sealer()) != sealed
    assert (tmp_path / "log").read_text() == "seal intent\nseal done\n"
    with pytest.raises(ConfigError, match=r"audit\.log: .*paht"):
        configured('[audit.log]\nkind = "lines"\npaht = "log"')
    with pytest.raises(PluginNotFound, match="audit sink 'line'"):
        configured('[audit.log]\nkind = "line"')
    with pytest.raises(ConfigError, match="is not a name"):
        configured('[audit.Log]\nkind = "lines"\npath = "log"')
