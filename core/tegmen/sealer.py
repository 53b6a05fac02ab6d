"""Seal, open, verify, inspect: the one place where profile, plugins, keys and files meet."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from tegmen import files, keys, opening, policy, sealing
from tegmen.audit import Action, Operation, Trail
from tegmen.buffers import Buffers, Larger, fresh
from tegmen.errors import PolicyRefused
from tegmen.files import Readable, Writable
from tegmen.interfaces import (
    Attributes,
    AuditSink,
    Carrier,
    Item,
    KeyStore,
    Plan,
    Reader,
    Sink,
    Source,
    Witness,
)
from tegmen.keys import Context
from tegmen.kit import Kit
from tegmen.profile import Config, load
from tegmen.receipts import Inspection, Receipt, inspection, opened_receipt, slot_name
from tegmen.registry import Registry

_NO_CONTEXT: Context = {}
_NO_ATTRIBUTES: Attributes = {}


class Sealer:
    """Seals and opens under one configuration.

    Safe to use from several threads. Key stores and plugins are made when first needed. Not
    pickled: another process makes its own with `from_file`, as no key should cross a pipe.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry | None = None,
        *,
        audit: Sequence[AuditSink] = (),
        actor: str = "",
    ) -> None:
        """
        Args:
            config: from `tegmen.profile.load`.
            registry: of the plugins; by default one with the configuration's allow-list.
            audit: told, after the sinks of the configuration, of everything that happens: the
                intent, before anything is written or released, which a sink may veto, then
                `done` or `failed`. A sink that cannot record `done` makes the call fail: what was
                sealed into a path or buffer is then gone, what was opened is already there.
            actor: who acts, for the audit; asserted, not checked.
        """
        self.config = config
        self.registry = registry or Registry(config.plugins.allow)
        self._kit = Kit(config, self.registry)
        self._buffers = Buffers()
        self._rules = policy.Rules(config, self._kit.cipher_info)
        self._trail = Trail((*self._kit.sinks(), *audit), actor)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str] = "tegmen.toml",
        *,
        audit: Sequence[AuditSink] = (),
        actor: str = "",
    ) -> Sealer:
        """A sealer under the configuration in `path`.

        Raises:
            ConfigError: it is not valid; InsecureConfig: others may write it.
        """
        return cls(load(path), audit=audit, actor=actor)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sealer is not pickled; call Sealer.from_file in the other process")

    # ------------------------------------------------------------------ sealing

    def seal(
        self,
        source: Readable,
        target: Writable | Callable[[str], Writable],
        profile: str | None = None,
        context: Context | None = None,
        attributes: Attributes | None = None,
        *,
        name: str | None = None,
        force: bool = False,
    ) -> Receipt:
        """Seal `source` into `target`.

        Args:
            source: a path, bytes, or a binary file. Never changed.
            target: a path (appears whole or not at all), a writable buffer of at least
                `sealed_size(source)` bytes, or a binary file; or a function that is given the
                sealed file's usual name (the source's, and the carrier's suffix) and returns one.
            profile: its name; without it the rules choose.
            context: values for the names that the profile requires.
            attributes: what the caller declares about the source, for the rules.
            name: base name to restore, by default the path's; one that a file can have.
            force: replace a file at that path; never the source, nor what is no regular file.

        Raises:
            InputError, PolicyRefused, KeyStoreError, OutputError, and what they are bases of.
            IntegrityError: the profile verifies, and what was made does not open again.
            AuditRefused: a sink vetoed, or could not record it.
        """
        told = self._trail.operation("seal")
        with (
            told,
            self._buffers.lent() as larger,
            files.reading(source, larger) as (reader, found_name),
        ):
            item = self._kit.load(reader, found_name if name is None else name)
            decision = self._decide(item.attributes, attributes, profile)
            told.profile, told.rule = decision.profile.name, decision.rule
            if callable(target):
                carrier = self._kit.setups[decision.profile.name].carrier
                target = target(item.name + carrier.suffix)
            with files.writing(target, force=force, source=reader, larger=larger) as sink:
                receipt = self._seal(reader, item, decision, context or _NO_CONTEXT, sink, told)
                told.tell("done")  # a sink that cannot record it leaves no file
        return receipt

    def _seal(
        self,
        reader: Reader,
        item: Item,
        decision: policy.Decision,
        context: Context,
        sink: Sink,
        told: Operation,
    ) -> Receipt:
        profile = decision.profile
        setup = self._kit.setups[profile.name]
        plan = _plan(setup.carrier, item)
        sealed = sealing.seal(setup, item, plan, context, blank=False)
        told.object_id = sealed.header.hex()
        told.keys = tuple([slot_name(slot) for slot in sealed.slots])
        told.tell("intent")
        if sink.patchable or not (profile.verify or setup.carrier.tag_placement == "table"):
            unproved = self._pack(setup, plan, sealed, context, sink, reader)
        else:
            with files.spooling(sum([part.length for part in item.parts])) as spool:
                unproved = self._pack(setup, plan, sealed, context, spool, reader)
                files.copy(spool.output(), sink)
        return Receipt(
            object_id=told.object_id,
            name=item.name,
            source=item.source,
            carrier=setup.carrier.kind,
            cipher=setup.suite.info.name,
            profile=profile.name,
            rule=decision.rule,
            keys=told.keys,
            parts=len(item.parts),
            size=reader.size,
            sealed_size=sink.tell(),
            verified=profile.verify,
            unproved=unproved,
        )

    def _pack(
        self,
        setup: sealing.Setup,
        plan: Plan,
        sealed: sealing.Sealed,
        context: Context,
        sink: Any,
        original: Reader,
    ) -> tuple[str, ...]:
        """Write the carrier, and verify it if the profile says so: the slots left unproved."""
        setup.carrier.pack(plan, sealed.stream, sink)
        sealed.stream.finish(sink)
        unproved: tuple[str, ...] = ()
        if setup.profile.verify:
            unproved = self._compare(setup, sealed, context, sink.output(), original)
        files.check_unchanged(original)
        return unproved

    def _compare(
        self,
        setup: sealing.Setup,
        sealed: sealing.Sealed,
        context: Context,
        output: Reader,
        original: Reader,
    ) -> tuple[str, ...]:
        """Open what was just sealed, every slot of it, and compare it byte for byte."""
        stream = setup.carrier.unpack(output)
        header = opening.read_header(stream)
        unproved = sealing.prove(setup, sealed, header)
        bound = keys.context_hash(header.core.required, context)
        with self._buffers.lent() as larger:
            opened = opening.Opened(
                stream, header, sealed.schedule, bound, setup.carrier.kind, self._kit.suites, larger
            )
            comparing = files.ComparingSink(original, larger)
            opened.restore(self._kit.sources[header.core.source], comparing)
            comparing.finish()
        return unproved

    def sealed_size(
        self,
        source: Readable,
        profile: str | None = None,
        context: Context | None = None,
        attributes: Attributes | None = None,
        *,
        name: str | None = None,
    ) -> int:
        """Exact bytes that `seal` would write; it asks the key stores, as slots differ in size."""
        with files.reading(source) as (reader, found_name):
            item = self._kit.load(reader, found_name if name is None else name)
            decision = self._decide(item.attributes, attributes, profile)
            setup = self._kit.setups[decision.profile.name]
            plan = _plan(setup.carrier, item)
            sealed = sealing.seal(setup, item, plan, context or _NO_CONTEXT, blank=True)
            sink = files.CountingSink()
            setup.carrier.pack(plan, sealed.stream, sink)
            sealed.stream.finish(sink)
            return sink.tell()

    def explain(
        self,
        attributes: Attributes | None = None,
        *,
        source: Readable | None = None,
        name: str | None = None,
        profile: str | None = None,
    ) -> policy.Decision:
        """Which profile `seal` would use, and why.

        Args:
            attributes: what the caller declares.
            source: whose attributes the rules read; without it, rules on found ones fail.
        """
        found = _NO_ATTRIBUTES if source is None else self.attributes(source, name=name)
        return self._decide(found, attributes, profile)

    def attributes(self, source: Readable, *, name: str | None = None) -> Attributes:
        """What the rules can see of `source`."""
        with files.reading(source) as (reader, found_name):
            return self._kit.load(reader, found_name if name is None else name).attributes

    # ------------------------------------------------------------------ opening

    def open(
        self,
        sealed: Readable,
        target: Writable,
        context: Context | None = None,
        *,
        force: bool = False,
    ) -> Receipt:
        """Restore the original of `sealed` into `target`, bit for bit.

        A path appears only after every segment was verified; a buffer is wiped on failure; to
        a stream each segment goes after its own tag.

        Raises:
            NotSealed, KeyStoreError, ContextMissing, IntegrityError, OutputError.
            AuditRefused: a sink vetoed; or it could not record `done`, after the original was
                written.
        """
        with self._opened(sealed, context, "open") as opened:
            return opened.restore(target, force=force)

    def open_part(self, sealed: Readable, index: int, context: Context | None = None) -> bytes:
        """One part alone, decrypted; for DICOM, 0 is the header and n the n-th frame.

        Raises:
            InputError: there is no such part. Else as `open`.
        """
        with self._opened(sealed, context, "open-part") as opened:
            return opened.read(index)

    def verify(self, sealed: Readable, context: Context | None = None) -> Receipt:
        """Decrypt and check all of `sealed`, and write nothing. Raises as `open`."""
        with self._opened(sealed, context, "verify") as opened:
            return opened.verify()

    @contextlib.contextmanager
    def opened(
        self, sealed: Readable, context: Context | None = None, *, action: Action = "open"
    ) -> Iterator[OpenObject]:
        """A sealed object with its header and manifest verified, to read parts of.

        Raises:
            as `open`.
        """
        # the caller may keep what is yielded, so it gets no memory that others will use
        with self._reading(sealed, context, action, fresh) as opened:
            yield opened

    @contextlib.contextmanager
    def _opened(
        self, sealed: Readable, context: Context | None, action: Action
    ) -> Iterator[OpenObject]:
        with (
            self._buffers.lent() as larger,
            self._reading(sealed, context, action, larger) as opened,
        ):
            yield opened

    @contextlib.contextmanager
    def _reading(
        self, sealed: Readable, context: Context | None, action: Action, larger: Larger
    ) -> Iterator[OpenObject]:
        told = self._trail.operation(action)
        with told, files.reading(sealed, larger) as (reader, _):
            carrier = self._kit.carrier_of(reader)
            stream = carrier.unpack(reader)
            header = opening.read_header(stream)
            core = header.core
            told.object_id, told.profile = header.hash.hex(), core.profile
            for cipher in core.suite:
                policy.may_open(self.config, cipher)
            bound = keys.context_hash(core.required, context or _NO_CONTEXT)
            schedule, slot = opening.unwrap(header, self._kit.store_for)
            told.keys = (slot_name(slot),)
            opened = opening.Opened(
                stream, header, schedule, bound, carrier.kind, self._kit.suites, larger
            )
            note = opened.manifest.carrier_note
            if note and action != "open-part" and isinstance(carrier, Witness):
                changed = carrier.changed(reader, note)
                opened.warnings += tuple([f"{name} is not what was sealed" for name in changed])
            told.tell("intent")
            source = self._kit.sources[core.source]
            yield OpenObject(opened, told.object_id, told.keys, source, reader, larger)
            told.tell("done")

    def inspect(self, sealed: Readable) -> Inspection:
        """What `sealed` says of itself to anyone; needs no key, verifies nothing.

        Raises:
            NotSealed, UnknownVersion, FormatError.
        """
        with files.reading(sealed) as (reader, _):
            carrier = self._kit.carrier_of(reader)
            return inspection(carrier.kind, opening.read_header(carrier.unpack(reader)))

    # ------------------------------------------------------------------ helpers

    def store(self, alias: str) -> KeyStore:
        """The key store of that alias in the configuration. Raises ConfigError, PluginError."""
        return self._kit.stores[alias]

    def _decide(
        self, found: Attributes, declared: Attributes | None, profile: str | None
    ) -> policy.Decision:
        declared = _NO_ATTRIBUTES if declared is None else declared
        return self._rules.decide(declared=declared, found=found, profile=profile)


class OpenObject:
    """A sealed object that is open: its parts can be read as long as the `with` block lasts.

    Safe to use from several threads, which take turns.
    """

    __slots__ = ("_keys", "_larger", "_object_id", "_opened", "_sealed", "_source", "_turn")

    def __init__(
        self,
        opened: opening.Opened,
        object_id: str,
        used: tuple[str, ...],
        source: Source,
        sealed: Reader,
        larger: Larger,
    ) -> None:
        self._opened = opened
        self._larger = larger
        self._object_id = object_id
        self._keys = used
        self._source = source
        self._sealed = sealed
        self._turn = threading.Lock()  # what is read next moves the reader that all share

    @property
    def name(self) -> str:
        """The original's base name; use `tegmen.manifest.check_name` before a file gets it."""
        return self._opened.name

    @property
    def lengths(self) -> Sequence[int]:
        """Bytes of each part."""
        return self._opened.parts.lengths

    def read(self, index: int) -> bytes:
        """Part `index` alone. Raises InputError, SegmentAltered."""
        with self._turn:
            return self._opened.parts.read(index)

    def restore(self, target: Writable, *, force: bool = False) -> Receipt:
        """Write the original. Raises as `Sealer.open`."""
        with files.writing(
            target, force=force, mode=0o600, source=self._sealed, larger=self._larger
        ) as sink:
            return self._restore(sink)

    def verify(self) -> Receipt:
        """Decrypt and check everything, and write nothing."""
        return self._restore(files.CountingSink(self._larger))

    def _restore(self, sink: Sink) -> Receipt:
        with self._turn:
            self._opened.restore(self._source, sink)
        return opened_receipt(
            self._opened,
            self._object_id,
            self._keys,
            size=sink.tell(),
            sealed_size=self._sealed.size,
        )


def _plan(carrier: Carrier, item: Item) -> Plan:
    reason = carrier.accepts(item)
    if reason:
        raise PolicyRefused(
            f"carrier {carrier.kind} cannot hold this: {reason}",
            hint="let a rule choose another profile for it",
        )
    return carrier.plan(item)
