"""What one configuration names, made when first needed and kept: stores, plugins, set-ups."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from tegmen.body import Suite
from tegmen.envelope import Slot
from tegmen.errors import ConfigError, InputError, NotSealed, PluginError
from tegmen.interfaces import Carrier, CipherInfo, Item, KeyStore, Reader, Source
from tegmen.profile import Config, Profile, policy_digest
from tegmen.registry import Registry
from tegmen.sealing import Setup

MANIFEST_CIPHER = "aes-256-gcm"
T = TypeVar("T")


class Kit:
    """The parts of one configuration. Safe to use from several threads."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self.config = config
        self.registry = registry
        self._lock = threading.RLock()
        self._made: dict[tuple[str, ...], Any] = {}
        self._digest = policy_digest(config)
        self._recipients = frozenset(
            (recipient.store, recipient.key_id)
            for profile in config.profiles.values()
            for recipient in profile.recipients
        )

    def _once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        made = self._made.get(key)
        if made is None:
            with self._lock:
                made = self._made.get(key) or make()
                self._made[key] = made
        return cast(T, made)

    def store(self, alias: str) -> KeyStore:
        """The key store of that alias. Raises ConfigError, PluginError."""
        config = self.config.stores.get(alias)
        if config is None:
            known = ", ".join(sorted(self.config.stores)) or "none"
            raise ConfigError(f"there is no store {alias!r}; the configuration has {known}")
        return self._once(
            ("store", alias),
            lambda: self.registry.keystore(config.kind, config.options, self.config.base),
        )

    def store_for(self, slot: Slot) -> KeyStore | None:
        """The store of a slot, if a profile here names the same key as a recipient."""
        if (slot.store, slot.wrapped.key_id) not in self._recipients:
            return None
        config = self.config.stores.get(slot.store)
        if config is None or config.kind != slot.kind:
            return None
        return self.store(slot.store)

    def suite(self, name: str) -> Suite:
        """A cipher to open with: no options, whatever profile sealed with it."""
        return self._once(
            ("suite", name), lambda: Suite(self.registry.cipher(name, None, self.config.base))
        )

    def cipher_info(self, name: str) -> CipherInfo:
        """What a cipher declares."""
        return self.suite(name).info

    def setup(self, profile: Profile) -> Setup:
        """All that sealing under a profile needs."""
        return self._once(("setup", profile.name), lambda: self._setup(profile))

    def _setup(self, profile: Profile) -> Setup:
        registry, options, base = self.registry, profile.options, self.config.base
        cipher = registry.cipher(profile.cipher, options.get(profile.cipher), base)
        return Setup(
            profile=profile,
            suite=Suite(cipher),
            manifest_suite=self.suite(MANIFEST_CIPHER),
            carrier=registry.carrier(profile.carrier, options.get(profile.carrier), base),
            stores=tuple((entry, self.store(entry.store)) for entry in profile.recipients),
            public=tuple(sorted(profile.public.items())),
            policy_digest=self._digest,
        )

    def source(self, kind: str) -> Source:
        """The source of that kind."""
        return self._once(("source", kind), lambda: self.registry.source(kind))

    def load(self, reader: Reader, name: str) -> Item:
        """Take an input apart with the first source that recognises it. Raises InputError."""
        for kind in self.config.sources:
            source = self.source(kind)
            if source.detects(reader, name):
                return source.load(reader, name)
        raise InputError(
            f"no source recognises {name or 'the input'}; tried {', '.join(self.config.sources)}",
            hint='add "file", which takes anything, to `sources`',
        )

    def carrier_of(self, reader: Reader) -> Carrier:
        """The carrier that an input is of. Raises NotSealed."""
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
        return self._once(("carrier", kind), lambda: self.registry.carrier(kind))
