"""What one configuration names, made when first needed and kept: stores, plugins, set-ups."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TypeVar

from tegmen.body import Suite
from tegmen.envelope import Slot
from tegmen.errors import ConfigError, InputError, NotSealed, PluginError, TegmenError
from tegmen.interfaces import (
    AuditSink,
    Carrier,
    CipherInfo,
    Item,
    KeyStore,
    Reader,
    Source,
    Wrapped,
)
from tegmen.profile import Config, policy_digest
from tegmen.registry import Registry
from tegmen.sealing import Setup

MANIFEST_CIPHER = "aes-256-gcm"
K = TypeVar("K")
T = TypeVar("T")


class _Kept(dict[K, T]):
    """Things by name, each made when it is first asked for, once, and kept."""

    def __init__(self, make: Callable[[K], T], lock: threading.RLock) -> None:
        self._make = make
        self._lock = lock

    def __missing__(self, key: K) -> T:
        with self._lock:
            made = self.get(key)  # another thread may have been faster
            if made is None:
                made = self[key] = self._make(key)
        return made


class Kit:
    """The parts of one configuration. Safe to use from several threads.

    Attributes:
        config: the configuration.
        registry: of the plugins.
        stores: key stores by alias. Raises ConfigError, PluginError.
        suites: ciphers to open with by name: no options, whatever profile sealed with them.
        setups: all that sealing under a profile needs, by the profile's name.
        sources: by kind.
    """

    def __init__(self, config: Config, registry: Registry) -> None:
        self.config = config
        self.registry = registry
        lock = threading.RLock()
        self.stores = _Kept(self._store, lock)
        self.suites = _Kept(self._suite, lock)
        self.setups = _Kept(self._setup, lock)
        self.sources = _Kept(self._source, lock)
        self._carriers = _Kept(self._carrier, lock)
        self._named_carriers = (*dict.fromkeys(p.carrier for p in config.profiles.values()),)
        self._digest = policy_digest(config)
        self._recipients: dict[str, list[str]] = {}
        for recipient in (entry for p in config.profiles.values() for entry in p.recipients):
            self._recipients.setdefault(recipient.key_id, []).append(recipient.store)

    def _store(self, alias: str) -> KeyStore:
        config = self.config.stores.get(alias)
        if config is None:
            known = ", ".join(sorted(self.config.stores)) or "none"
            raise ConfigError(f"there is no store {alias!r}; the configuration has {known}")
        return self.registry.keystore(config.kind, config.options, self.config.base)

    def sinks(self) -> list[AuditSink]:
        """The audit sinks of the configuration. Raises ConfigError, PluginError."""
        make, base = self.registry.audit_sink, self.config.base
        return [make(sink.kind, sink.options, base) for sink in self.config.audit.values()]

    def store_for(self, slot: Slot) -> KeyStore | None:
        """The store of a slot, if its key is a recipient of a profile here, or in `open-with`.

        A store is never asked for another key. The alias in the slot is what the sealing site
        called the store: where it names none of these, or several could be meant, one whose key
        has the slot's check value is taken.
        """
        aliases = self._stores_with(slot.kind, slot.wrapped.key_id)
        if len(aliases) == 1 and aliases[0] == slot.store:
            return self.stores[slot.store]
        for alias in sorted(aliases, key=lambda alias: alias != slot.store):
            if self._has_key(alias, slot.wrapped):
                return self.stores[alias]
        return self.stores[slot.store] if slot.store in aliases else None

    def _stores_with(self, kind: str, key_id: str) -> list[str]:
        """Aliases of the stores of a kind that may be asked to open with that key."""
        named = dict.fromkeys(self._recipients.get(key_id, ()))
        for entry in self.config.open_with:
            if fnmatchcase(key_id, entry.key_id):
                named[entry.store] = None
        return [alias for alias in named if self.config.stores[alias].kind == kind]

    def _has_key(self, alias: str, wrapped: Wrapped) -> bool:
        """Whether the key there has the same check value; a key that cannot be seen has not."""
        try:
            found = self.stores[alias].describe(wrapped.key_id)
        except TegmenError:
            return False
        if found.check_kind == "none" or not found.check_value:
            return False
        return (found.check_kind, found.check_value) == (wrapped.check_kind, wrapped.check_value)

    def _suite(self, name: str) -> Suite:
        return Suite(self.registry.cipher(name, None, self.config.base))

    def cipher_info(self, name: str) -> CipherInfo:
        """What a cipher declares."""
        return self.suites[name].info

    def _setup(self, name: str) -> Setup:
        profile, registry, base = self.config.profiles[name], self.registry, self.config.base
        cipher = registry.cipher(profile.cipher, profile.options.get(profile.cipher), base)
        options = profile.options.get(profile.carrier)
        return Setup(
            profile=profile,
            suite=Suite(cipher),
            manifest_suite=self.suites[MANIFEST_CIPHER],
            carrier=registry.carrier(profile.carrier, options, base),
            stores=tuple((entry, self.stores[entry.store]) for entry in profile.recipients),
            public=tuple(sorted(profile.public.items())),
            policy_digest=self._digest,
        )

    def _source(self, kind: str) -> Source:
        return self.registry.source(kind)

    def _carrier(self, kind: str) -> Carrier:
        return self.registry.carrier(kind)

    def load(self, reader: Reader, name: str) -> Item:
        """Take an input apart with the first source that recognises it. Raises InputError."""
        for kind in self.config.sources:
            source = self.sources[kind]
            if source.detects(reader, name):
                return source.load(reader, name)
        raise InputError(
            f"no source recognises {name or 'the input'}; tried {', '.join(self.config.sources)}",
            hint='add "file", which takes anything, to `sources`',
        )

    def carrier_of(self, reader: Reader) -> Carrier:
        """The carrier that an input is of.

        Asked are the carriers that profiles name, then those that the allow-list covers. No
        other plugin is imported. A configuration without profiles is for looking at objects
        only (`tegmen inspect` where there is none): it asks every carrier that may be loaded.

        Raises:
            NotSealed: it is of none of them.
        """
        for kind in self._named_carriers:
            carrier = self._carriers[kind]
            if carrier.detects(reader):
                return carrier
        for carrier in self._other_carriers():
            if carrier.detects(reader):
                return carrier
        raise NotSealed(
            "no sealed object was recognised in the input",
            hint="name a file that tegmen sealed; a carrier that no profile here names is asked "
            "only when allow in [plugins] names its module",
        )

    def _other_carriers(self) -> Iterator[Carrier]:
        if self.config.profiles and self.config.plugins.allow is None:
            return
        for kind in self.registry.names("carriers"):
            if kind not in self._named_carriers:
                with contextlib.suppress(PluginError):  # no profile needs it
                    yield self._carriers[kind]
