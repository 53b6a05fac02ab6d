"""What one configuration names, made when first needed and kept: stores, plugins, set-ups."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from tegmen.body import Suite
from tegmen.envelope import Slot
from tegmen.errors import ConfigError, InputError, NotSealed, PluginError
from tegmen.interfaces import Carrier, CipherInfo, Item, KeyStore, Reader, Source
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
        self._recipients = frozenset(
            (recipient.store, recipient.key_id)
            for profile in config.profiles.values()
            for recipient in profile.recipients
        )

    def _store(self, alias: str) -> KeyStore:
        config = self.config.stores.get(alias)
        if config is None:
            known = ", ".join(sorted(self.config.stores)) or "none"
            raise ConfigError(f"there is no store {alias!r}; the configuration has {known}")
        return self.registry.keystore(config.kind, config.options, self.config.base)

    def store_for(self, slot: Slot) -> KeyStore | None:
        """The store of a slot, if a profile here names the same key as a recipient."""
        if (slot.store, slot.wrapped.key_id) not in self._recipients:
            return None
        config = self.config.stores.get(slot.store)
        if config is None or config.kind != slot.kind:
            return None
        return self.stores[slot.store]

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
        """The carrier that an input is of: one that a profile names, or any that may be loaded.

        Raises:
            NotSealed: it is of none.
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
            hint="name a file that tegmen sealed; a picture's carrier must be named",
        )

    def _other_carriers(self) -> Iterator[Carrier]:
        for kind in self.registry.names("carriers"):
            if kind not in self._named_carriers:
                with contextlib.suppress(PluginError):  # nobody named it
                    yield self._carriers[kind]
