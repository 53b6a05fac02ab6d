"""The configuration, tegmen.toml, as frozen values: stores, policy, profiles and rules."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import attrs
from attrs import frozen

from tegmen.checks import MAX_RECIPIENTS, problems
from tegmen.errors import ConfigError
from tegmen.interfaces import Tier
from tegmen.problem import Mismatch, config_error
from tegmen.registry import Allowed
from tegmen.structure import NOT_IN_TABLE, REST_OF_TABLE, Table, integer, reads, structure
from tegmen.trusted import read_trusted

CONFIG_VERSION: Final = 1
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)

Conditions = Mapping[str, tuple[str, ...]]
"""Attribute name to patterns (`fnmatch`, case-sensitive), one of which must match."""


# --------------------------------------------------------------------------- single values


def _version(value: Any) -> int:
    if type(value) is not int or value != CONFIG_VERSION:
        hint = "it may be written for another release of tegmen"
        raise Mismatch(value, f"{CONFIG_VERSION}, the form that this release reads", hint)
    return value


def _cipher(value: Any) -> str:
    """A list is kept for cascades, which this release cannot seal with."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        raise Mismatch(value, "the name of one cipher", "a cascade needs a later release of tegmen")
    return names[0]


def _recipients(value: Any) -> tuple[Recipient, ...]:
    if not isinstance(value, list):
        raise Mismatch(value, 'a list of "store/key"')
    return tuple(_recipient(index, entry) for index, entry in enumerate(value))


def _recipient(index: int, value: Any) -> Recipient:
    store, _, key_id = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (store and key_id):
        expected = '"store/key": the alias of a store and the name of a key in it'
        raise Mismatch(value, expected, where=(index,))
    return Recipient(store, key_id)


def _allow(value: Any) -> tuple[Allowed, ...]:
    if not isinstance(value, list):
        raise Mismatch(value, "a list of modules")
    return tuple(_allowed(index, entry) for index, entry in enumerate(value))


def _allowed(index: int, value: Any) -> Allowed:
    if isinstance(value, Mapping):
        return structure(Allowed, value)
    if not isinstance(value, str):
        expected = 'a module\'s name or { module = "...", distribution = "..." }'
        raise Mismatch(value, expected, where=(index,))
    return Allowed(value)


def _conditions(value: Any) -> Conditions:
    if not isinstance(value, Mapping):
        raise Mismatch(value, "a table")
    return {name: _patterns(name, patterns) for name, patterns in value.items()}


def _patterns(name: str, value: Any) -> tuple[str, ...]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not patterns:
        raise Mismatch(value, "a string, or a list of strings that is not empty", where=(name,))
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str):
            raise Mismatch(pattern, "a string", where=(name, index))
    return tuple(patterns)


def _sorted_unique(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


# --------------------------------------------------------------------------- tables


@frozen
class Recipient:
    """A key that shall be able to open: the alias of a store, and the key's name there."""

    store: str
    key_id: str

    def __str__(self) -> str:
        return f"{self.store}/{self.key_id}"


@frozen
class StoreConfig:
    """A key store under the alias that recipients use; `options` are read by its plugin."""

    kind: str
    options: Mapping[str, Any] = attrs.field(metadata=REST_OF_TABLE)
    alias: str = attrs.field(default="", metadata=NOT_IN_TABLE)


@frozen
class SinkConfig:
    """An audit sink that is told of every operation; `options` are read by its plugin."""

    kind: str
    options: Mapping[str, Any] = attrs.field(metadata=REST_OF_TABLE)


@frozen
class Plugins:
    """Which plugins may be loaded; None lets any that is installed be loaded by name."""

    allow: tuple[Allowed, ...] | None = attrs.field(metadata=reads(_allow), default=None)


@frozen
class Floor:
    """What holds whatever rule matched, also for a profile that the caller named.

    Attributes:
        tiers: tiers of ciphers that may ever seal.
        min_recipients: fewest recipients.
        require_stores: aliases of stores that must each hold a recipient.
    """

    tiers: tuple[Tier, ...] = TIERS
    min_recipients: int = attrs.field(metadata=reads(integer(1, MAX_RECIPIENTS)), default=1)
    require_stores: tuple[str, ...] = ()


@frozen
class Policy:
    """Which ciphers may seal, open or only be recognised.

    Attributes:
        name: for people and the audit log.
        seal: ciphers that may seal; None for any of an allowed tier.
        open: ciphers that may open; None for any that is installed.
        identify_only: ciphers that are recognised, never used.
        tiers: tiers that may seal without a rule's opt-in.
        min_recipients: fewest recipients of a profile.
        floor: see `Floor`.
    """

    name: str = "default"
    seal: tuple[str, ...] | None = None
    open: tuple[str, ...] | None = None
    identify_only: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ("standard",)
    min_recipients: int = attrs.field(metadata=reads(integer(1, MAX_RECIPIENTS)), default=1)
    floor: Floor = Floor()


@frozen
class Profile:
    """A named choice of how to seal.

    Attributes:
        name: its name in the configuration.
        cipher: name of the cipher.
        carrier: kind of the carrier.
        recipients: who can open; at least one.
        description: for people.
        context: names of the context that opening needs, sorted.
        public: context that is stored in clear.
        segment_size: bytes of plaintext in a segment, 4096 to 2**26.
        verify: open and compare every sealed object before it counts.
        options: tables for the cipher and the carrier, by name; read by their plugins.
    """

    cipher: str = attrs.field(metadata=reads(_cipher))
    carrier: str
    recipients: tuple[Recipient, ...] = attrs.field(metadata=reads(_recipients))
    name: str = attrs.field(default="", metadata=NOT_IN_TABLE)
    description: str = ""
    context: tuple[str, ...] = attrs.field(default=(), converter=_sorted_unique)
    public: Mapping[str, str] = attrs.field(factory=dict)
    segment_size: int = attrs.field(metadata=reads(integer(4096, 1 << 26)), default=1 << 20)
    verify: bool = True
    options: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)


@frozen
class Rule:
    """Which profile applies to which attributes; first match wins.

    Attributes:
        name: for the explanation and the audit log.
        found: conditions on what the source read from the object.
        declared: conditions on what the caller says.
        use: name of a profile; None when the rule denies.
        deny: why nothing is sealed, whatever profile the caller names; None when the rule
            names a profile.
        tier: a tier that this rule allows although the policy does not.
    """

    name: str
    found: Conditions = attrs.field(metadata=reads(_conditions), factory=dict)
    declared: Conditions = attrs.field(metadata=reads(_conditions), factory=dict)
    use: str | None = None
    deny: str | None = None
    tier: Tier | None = None


@frozen
class Config:
    """A whole tegmen.toml.

    Attributes:
        path: the file; None when it was read from text.
        base: folder that relative paths start from.
        where: how messages about it begin.
        version: of the configuration's form.
        sources: kinds of source that try to recognise an input, in order.
        plugins: the allow-list.
        stores: by alias.
        audit: sinks that are told of every operation, by a name for people.
        policy: see `Policy`.
        profiles: by name.
        rules: in order.
        open_with: keys that may be asked to open, besides the recipients of profiles: retired
            ones, for what they sealed. The key's name may be a pattern (`fnmatch`).
    """

    version: int = attrs.field(metadata=reads(_version))
    rules: tuple[Rule, ...]
    sources: tuple[str, ...] = ("file",)
    plugins: Plugins = Plugins()
    stores: Mapping[str, StoreConfig] = attrs.field(factory=dict)
    audit: Mapping[str, SinkConfig] = attrs.field(factory=dict)
    policy: Policy = Policy()
    profiles: Mapping[str, Profile] = attrs.field(factory=dict)
    open_with: tuple[Recipient, ...] = attrs.field(metadata=reads(_recipients), default=())
    path: Path | None = attrs.field(default=None, metadata=NOT_IN_TABLE)
    base: Path = attrs.field(default=Path(), metadata=NOT_IN_TABLE)
    where: str = attrs.field(default="tegmen.toml", metadata=NOT_IN_TABLE)


# --------------------------------------------------------------------------- reading


def load(path: str | os.PathLike[str]) -> Config:
    """Read a configuration file.

    Raises:
        InsecureConfig: others may write the file or its folder.
        ConfigError: there is none, or it is not valid.
    """
    file = Path(path).absolute()
    config = loads(read_trusted(file), file.parent, os.fspath(path))
    return attrs.evolve(config, path=file)


def loads(text: str, base: Path, name: str = "tegmen.toml") -> Config:
    """Read a configuration from text.

    Args:
        text: TOML 1.0.
        base: folder that relative paths start from.
        name: how messages call it.

    Raises:
        ConfigError: it is not valid.
    """
    config = _named(structure(Config, _toml(text, name), name), base, name)
    found = list(problems(config))
    if found:
        raise config_error(name, found)
    return config


def _toml(text: str, name: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply") from error
    except ValueError as error:  # huge integers and dates that do not exist, too
        raise ConfigError(f"{name}: not valid TOML: {error}") from error


def _named(config: Config, base: Path, name: str) -> Config:
    """Stores and profiles told their names, and tables where they stand."""
    stores = {
        alias: attrs.evolve(
            store, alias=alias, options=Table(store.options, f"{name}: stores.{alias}")
        )
        for alias, store in config.stores.items()
    }
    audit = {
        key: attrs.evolve(sink, options=Table(sink.options, f"{name}: audit.{key}"))
        for key, sink in config.audit.items()
    }
    profiles = {key: _profile(profile, key, name) for key, profile in config.profiles.items()}
    return attrs.evolve(
        config, stores=stores, audit=audit, profiles=profiles, base=base, where=name
    )


def _profile(profile: Profile, name: str, file: str) -> Profile:
    options = {
        plugin: Table(table, f"{file}: profiles.{name}.options.{plugin}")
        for plugin, table in profile.options.items()
    }
    return attrs.evolve(profile, name=name, options=options)


def policy_digest(config: Config) -> bytes:
    """SHA-256 over policy, profiles and rules, as deterministic CBOR; no store is in it."""
    import hashlib

    import cbor2

    value = attrs.asdict(config, filter=lambda field, _: field.name not in _NOT_IN_DIGEST)
    return hashlib.sha256(cbor2.dumps(value, canonical=True)).digest()


_NOT_IN_DIGEST: Final = frozenset(
    {"sources", "plugins", "stores", "audit", "open_with", "path", "base", "where"}
)
