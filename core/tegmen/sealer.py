"""Seal, open, verify, inspect: the one place where profile, plugins, keys and files meet."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from attrs import evolve, frozen

from tegmen import files, keys, opening, policy, sealing
from tegmen.audit import Action, Trail
from tegmen.body import Suite
from tegmen.envelope import Slot
from tegmen.errors import ConfigError, InputError, NotSealed, PluginError, PolicyRefused
from tegmen.files import Readable, Writable
from tegmen.interfaces import (
    Attributes,
    AuditSink,
    Carrier,
    CipherInfo,
    Event,
    Item,
    KeyStore,
    Plan,
    Reader,
    Sink,
    Source,
)
from tegmen.keys import Context
from tegmen.profile import Config, load, policy_digest
from tegmen.registry import Registry

MANIFEST_CIPHER = "aes-256-gcm"
_NO_CONTEXT: Context = {}
_NO_ATTRIBUTES: Attributes = {}


@frozen
class Receipt:
    """What was sealed, opened or verified, and how.

    Attributes:
        object_id: H, hexadecimal: the identity of the sealed object.
        name: the source's base name; it may tell who the patient is.
        source, carrier, cipher: kinds and names.
        profile: that it was sealed with.
        rule: that chose the profile; empty when it was opened.
        keys: `store/key@version` of every slot (sealed), or of the one used (opened).
        parts: how many, without the manifest.
        size: bytes of the original object.
        sealed_size: bytes of the sealed one.
        verified: whether every segment was decrypted and checked.
        warnings: damage that did not matter.
    """

    object_id: str
    name: str
    source: str
    carrier: str
    cipher: str
    profile: str
    rule: str
    keys: tuple[str, ...]
    parts: int
    size: int
    sealed_size: int
    verified: bool
    warnings: tuple[str, ...] = ()


@frozen
class Inspection:
    """What a sealed object says of itself to anyone. Nothing in it is verified.

    Attributes:
        object_id: H, hexadecimal.
        carrier: the kind that it was found in.
        says_carrier, source, cipher, manifest_cipher, mac, profile: from the header.
        segment_size: bytes; 0, one segment is one part.
        parts: how many, without the manifest.
        stored: bytes of plaintext with padding.
        public: context in clear.
        required: names of the context that opening needs.
        slots: `store/key@version (algorithm)` of each recipient.
        generation: of the newest slot zone.
        zones: how many of the two slot zones are whole.
    """

    object_id: str
    carrier: str
    says_carrier: str
    source: str
    cipher: str
    manifest_cipher: str
    mac: str | None
    profile: str
    segment_size: int
    parts: int
    stored: int
    public: tuple[tuple[str, str], ...]
    required: tuple[str, ...]
    slots: tuple[str, ...]
    generation: int
    zones: int


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
            audit: told of everything that happens, and may veto.
            actor: who acts, for the audit; asserted, not checked.
        """
        self.config = config
        self.registry = registry or Registry(config.plugins.allow)
        self._trail = Trail(audit)
        self._actor = actor
        self._lock = threading.RLock()
        self._made: dict[tuple[str, ...], Any] = {}
        self._digest = policy_digest(config)
        self._rules = policy.Rules(config, self._cipher_info)
        self._recipients = frozenset(
            (recipient.store, recipient.key_id)
            for profile in config.profiles.values()
            for recipient in profile.recipients
        )

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
        target: Writable,
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
                `sealed_size(source)` bytes, or a binary file.
            profile: its name; without it the rules choose.
            context: values for the names that the profile requires.
            attributes: what the caller declares about the source, for the rules.
            name: base name to restore, by default the path's.
            force: overwrite a path.

        Raises:
            InputError, PolicyRefused, KeyStoreError, OutputError, and what they are bases of.
        """
        try:
            with files.reading(source) as (reader, found_name):
                item = self._load(reader, found_name if name is None else name)
                decision = self._decide(item.attributes, attributes, profile)
                with files.writing(target, force=force) as sink:
                    receipt = self._seal(reader, item, decision, context or _NO_CONTEXT, sink)
            self._tell("seal", "done", receipt)
            return receipt
        except Exception as error:
            self._trail.failed("seal", error)
            raise

    def _seal(
        self, reader: Reader, item: Item, decision: policy.Decision, context: Context, sink: Sink
    ) -> Receipt:
        setup = self._setup(decision.profile)
        plan = _plan(setup.carrier, item)
        sealed = sealing.seal(setup, item, plan, context, blank=False)
        verify = decision.profile.verify
        direct = sink.patchable or not (verify or setup.carrier.tag_placement == "table")
        with contextlib.ExitStack() as stack:
            size = sum(part.length for part in item.parts)
            work: Any = sink if direct else stack.enter_context(files.spooling(size))
            setup.carrier.pack(plan, sealed.stream, work)
            sealed.stream.finish(work)
            if verify:
                self._compare(setup, sealed, context, work.output(), reader)
            if work is not sink:
                files.copy(work.output(), sink)
        return Receipt(
            object_id=sealed.header.hex(),
            name=item.name,
            source=item.source,
            carrier=setup.carrier.kind,
            cipher=setup.suite.info.name,
            profile=decision.profile.name,
            rule=decision.rule,
            keys=tuple(_slot_name(slot) for slot in sealed.slots),
            parts=len(item.parts),
            size=reader.size,
            sealed_size=work.tell(),
            verified=verify,
        )

    def _compare(
        self,
        setup: sealing.Setup,
        sealed: sealing.Sealed,
        context: Context,
        output: Reader,
        original: Reader,
    ) -> None:
        """Open what was just sealed and compare it with the original, byte for byte."""
        stream = setup.carrier.unpack(output)
        header = opening.read_header(stream)
        bound = keys.context_hash(header.core.required, context)
        opened = opening.Opened(
            stream, header, sealed.data_key, bound, setup.carrier.kind, self._suite_to_open
        )
        comparing = files.ComparingSink(original)
        opened.restore(self.registry_source(header.core.source), comparing)
        comparing.finish()

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
            item = self._load(reader, found_name if name is None else name)
            decision = self._decide(item.attributes, attributes, profile)
            setup = self._setup(decision.profile)
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
            return self._load(reader, found_name if name is None else name).attributes

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
        """
        with self.opened(sealed, context) as opened:
            return opened.restore(target, force=force)

    def open_part(self, sealed: Readable, index: int, context: Context | None = None) -> bytes:
        """One part alone, decrypted; for DICOM, 0 is the header and n the n-th frame.

        Raises:
            InputError: there is no such part. Else as `open`.
        """
        with self.opened(sealed, context, action="open-part") as opened:
            return opened.read(index)

    def verify(self, sealed: Readable, context: Context | None = None) -> Receipt:
        """Decrypt and check all of `sealed`, and write nothing. Raises as `open`."""
        with self.opened(sealed, context, action="verify") as opened:
            return opened.verify()

    @contextlib.contextmanager
    def opened(
        self, sealed: Readable, context: Context | None = None, *, action: Action = "open"
    ) -> Iterator[OpenObject]:
        """A sealed object with its header and manifest verified, to read parts of.

        Raises:
            as `open`.
        """
        object_id = ""
        try:
            with files.reading(sealed) as (reader, _):
                carrier = self._carrier_of(reader)
                stream = carrier.unpack(reader)
                header = opening.read_header(stream)
                object_id = header.hash.hex()
                for cipher in header.core.suite:
                    policy.may_open(self.config, cipher)
                bound = keys.context_hash(header.core.required, context or _NO_CONTEXT)
                unwrapped = opening.unwrap(header, self._store_for)
                opened = opening.Opened(
                    stream, header, unwrapped.data_key, bound, carrier.kind, self._suite_to_open
                )
                receipt = _opened_receipt(header, opened, unwrapped, reader.size)
                self._tell(action, "intent", receipt)
                yield OpenObject(opened, self.registry_source(header.core.source), receipt)
                self._tell(action, "done", receipt)
        except Exception as error:
            self._trail.failed(action, error, object_id)
            raise

    def inspect(self, sealed: Readable) -> Inspection:
        """What `sealed` says of itself to anyone; needs no key, verifies nothing.

        Raises:
            NotSealed, UnknownVersion, FormatError.
        """
        with files.reading(sealed) as (reader, _):
            carrier = self._carrier_of(reader)
            return _inspection(carrier.kind, opening.read_header(carrier.unpack(reader)))

    # ------------------------------------------------------------------ what the parts are

    def store(self, alias: str) -> KeyStore:
        """The key store of that alias in the configuration."""
        config = self.config.stores.get(alias)
        if config is None:
            known = ", ".join(sorted(self.config.stores)) or "none"
            raise ConfigError(f"there is no store {alias!r}; the configuration has {known}")
        return self._once(  # type: ignore[no-any-return]
            ("store", alias),
            lambda: self.registry.keystore(config.kind, config.options, self.config.base),
        )

    def registry_source(self, kind: str) -> Source:
        """The source of that kind."""
        return self._once(("source", kind), lambda: self.registry.source(kind))  # type: ignore[no-any-return]

    def _once(self, key: tuple[str, ...], make: Any) -> Any:
        made = self._made.get(key)
        if made is None:
            with self._lock:
                made = self._made.get(key) or make()
                self._made[key] = made
        return made

    def _suite(self, name: str, profile: str) -> Suite:
        """A cipher with the options that a profile gives it."""

        def make() -> Suite:
            options = self.config.profiles[profile].options.get(name) if profile else None
            return Suite(self.registry.cipher(name, options, self.config.base))

        return self._once(("suite", name, profile), make)  # type: ignore[no-any-return]

    def _suite_to_open(self, name: str) -> Suite:
        return self._suite(name, "")

    def _cipher_info(self, name: str) -> CipherInfo:
        return self._suite(name, "").info

    def _setup(self, profile: Any) -> sealing.Setup:
        made = self._made.get(("setup", profile.name))
        if made is not None:
            return made  # type: ignore[no-any-return]
        carrier = self.registry.carrier(
            profile.carrier, profile.options.get(profile.carrier), self.config.base
        )
        return self._once(  # type: ignore[no-any-return]
            ("setup", profile.name),
            lambda: sealing.Setup(
                profile=profile,
                suite=self._suite(profile.cipher, profile.name),
                manifest_suite=self._suite(MANIFEST_CIPHER, ""),
                carrier=carrier,
                stores=tuple((entry, self.store(entry.store)) for entry in profile.recipients),
                public=tuple(sorted(profile.public.items())),
                policy_digest=self._digest,
            ),
        )

    def _load(self, reader: Reader, name: str) -> Item:
        for kind in self.config.sources:
            source = self.registry_source(kind)
            if source.detects(reader, name):
                return source.load(reader, name)
        raise InputError(
            f"no source recognises {name or 'the input'}; tried {', '.join(self.config.sources)}",
            hint='add "file", which takes anything, to `sources`',
        )

    def _decide(
        self, found: Attributes, declared: Attributes | None, profile: str | None
    ) -> policy.Decision:
        return self._rules.decide(declared=declared or {}, found=found, profile=profile)

    def _carrier_of(self, reader: Reader) -> Carrier:
        for carrier in self._carriers():
            if carrier.detects(reader):
                return carrier
        raise NotSealed(
            "no sealed object was recognised in the input",
            hint="name a file that tegmen sealed; a picture's carrier must be named",
        )

    def _carriers(self) -> Iterator[Carrier]:
        """Those that profiles name, first; then all others that may be loaded."""
        named = [profile.carrier for profile in self.config.profiles.values()]
        for kind in dict.fromkeys(named):
            yield self._carrier(kind)
        for kind in self.registry.names("carriers"):
            if kind not in named:
                with contextlib.suppress(PluginError):  # nobody named it
                    yield self._carrier(kind)

    def _carrier(self, kind: str) -> Carrier:
        """A carrier to open with: no options, whatever profile sealed with it."""
        return self._once(("carrier", kind), lambda: self.registry.carrier(kind))  # type: ignore[no-any-return]

    def _store_for(self, slot: Slot) -> KeyStore | None:
        """The store of a slot, if a profile here names the same key as a recipient."""
        if (slot.store, slot.wrapped.key_id) not in self._recipients:
            return None
        config = self.config.stores.get(slot.store)
        if config is None or config.kind != slot.kind:
            return None
        return self.store(slot.store)

    def _tell(self, action: str, phase: Any, receipt: Receipt) -> None:
        self._trail.tell(
            Event(
                action=action,
                phase=phase,
                object_id=receipt.object_id,
                keys=receipt.keys,
                profile=receipt.profile,
                rule=receipt.rule,
                actor=self._actor,
            )
        )


class OpenObject:
    """A sealed object that is open: its parts can be read as long as the `with` block lasts.

    Attributes:
        receipt: what is known so far; `verified` is false.
    """

    def __init__(self, opened: opening.Opened, source: Source, receipt: Receipt) -> None:
        self._opened = opened
        self._source = source
        self.receipt = receipt

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
        return self._opened.parts.read(index)

    def restore(self, target: Writable, *, force: bool = False) -> Receipt:
        """Write the original. Raises as `Sealer.open`."""
        with files.writing(target, force=force, mode=0o600) as sink:
            return self._restore(sink)

    def verify(self) -> Receipt:
        """Decrypt and check everything, and write nothing."""
        return self._restore(files.CountingSink())

    def _restore(self, sink: Sink) -> Receipt:
        self._opened.restore(self._source, sink)
        return evolve(self.receipt, size=sink.tell(), verified=True)


def _plan(carrier: Carrier, item: Item) -> Plan:
    reason = carrier.accepts(item)
    if reason:
        raise PolicyRefused(
            f"carrier {carrier.kind} cannot hold this: {reason}",
            hint="let a rule choose another profile for it",
        )
    return carrier.plan(item)


def _slot_name(slot: Slot) -> str:
    return f"{slot.store}/{slot.wrapped.key_id}@{slot.wrapped.version}"


def _opened_receipt(
    header: opening.Header, opened: opening.Opened, unwrapped: opening.Unwrapped, size: int
) -> Receipt:
    core = header.core
    return Receipt(
        object_id=header.hash.hex(),
        name=opened.name,
        source=core.source,
        carrier=core.carrier,
        cipher=core.suite[0],
        profile=core.profile,
        rule="",
        keys=(_slot_name(unwrapped.slot),),
        parts=core.part_count,
        size=0,
        sealed_size=size,
        verified=False,
        warnings=opened.warnings,
    )


def _inspection(carrier: str, header: opening.Header) -> Inspection:
    core, zone = header.core, header.zones[0]
    return Inspection(
        object_id=header.hash.hex(),
        carrier=carrier,
        says_carrier=core.carrier,
        source=core.source,
        cipher=" + ".join(core.suite),
        manifest_cipher=core.manifest_cipher,
        mac=core.mac,
        profile=core.profile,
        segment_size=core.segment_size,
        parts=core.part_count,
        stored=sum(count * length for count, length in core.geometry),
        public=core.public,
        required=core.required,
        slots=tuple(f"{_slot_name(slot)} ({slot.wrapped.algorithm})" for slot in zone.slots),
        generation=zone.generation,
        zones=len(header.zones),
    )


__all__ = ["Inspection", "OpenObject", "Receipt", "Sealer"]
