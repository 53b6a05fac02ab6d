"""Finds plugins by entry point and loads only the one that is named."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import evolve, frozen

from tegmen.errors import (
    ConfigError,
    PluginBroken,
    PluginConflict,
    PluginNotAllowed,
    PluginNotFound,
    TegmenError,
)
from tegmen.interfaces import AuditSink, Carrier, Cipher, KeyStore, Offer, Source
from tegmen.metadata import Entry, extra_hint, installed, normalised
from tegmen.problem import did_you_mean, shown

if TYPE_CHECKING:
    import click
    import pluggy

Group = Literal["ciphers", "keystores", "sources", "carriers", "audit_sinks", "commands"]

KINDS: Final[Mapping[str, str]] = {
    "ciphers": "cipher",
    "keystores": "key store",
    "sources": "source",
    "carriers": "carrier",
    "audit_sinks": "audit sink",
    "commands": "command",
}
"""The groups, and what people call one thing of each."""


@frozen
class Allowed:
    """A plugin that may be loaded: its module, and whose it must be when that is given.

    With a distribution, the file that is imported must be one that this distribution installed;
    without, any module of that name on Python's path is taken.
    """

    module: str
    distribution: str | None = None

    def covers(self, entry: Entry) -> bool:
        whose = self.distribution
        ours = whose is None or normalised(whose) == normalised(entry.distribution)
        return ours and self.module == entry.module


@frozen
class PluginListing:
    """What is known about one entry point.

    Attributes:
        group: `ciphers`, `keystores`, ...; empty for a distribution that cannot be read.
        name: what it offers.
        module: what would be imported.
        distribution: which installed it.
        version: of the distribution.
        problem: why it cannot be used, or None.
        needs: what it says it needs installed or running; known once it is loaded.
    """

    group: str
    name: str
    module: str
    distribution: str
    version: str
    problem: str | None = None
    needs: str = ""


class Registry:
    """The plugins of this installation. Safe to use from several threads.

    Every method that makes something raises

    - PluginNotFound: nothing installed offers that name;
    - PluginNotAllowed: the allow-list leaves it out;
    - PluginConflict: two distributions offer it;
    - PluginBroken: it does not load, or is not what it says;
    - ConfigError: the options are not what it takes;

    and what the plugin itself raises, if that is a TegmenError.

    Args:
        allow: what may be loaded; None allows everything that is installed.
    """

    def __init__(self, allow: Sequence[Allowed] | None = None) -> None:
        self._allow = allow
        self._lock = threading.RLock()
        self._installed: list[Entry] | None = None
        self._managers: dict[str, pluggy.PluginManager] = {}

    def cipher(
        self, name: str, options: Mapping[str, Any] | None = None, base: Path = Path()
    ) -> Cipher:
        """The cipher of that name.

        Args:
            name: as the profile spells it.
            options: its table in the configuration.
            base: folder that relative paths in the options start from.
        """
        cipher: Cipher = self._make("ciphers", name, options, base)
        return cipher

    def keystore(
        self, kind: str, options: Mapping[str, Any] | None = None, base: Path = Path()
    ) -> KeyStore:
        """A key store of that kind; arguments as for `cipher`."""
        store: KeyStore = self._make("keystores", kind, options, base)
        return store

    def source(self, kind: str) -> Source:
        """The source of that kind."""
        source: Source = self._make("sources", kind, None, Path())
        return source

    def carrier(
        self, kind: str, options: Mapping[str, Any] | None = None, base: Path = Path()
    ) -> Carrier:
        """A carrier of that kind; arguments as for `cipher`."""
        carrier: Carrier = self._make("carriers", kind, options, base)
        return carrier

    def audit_sink(
        self, name: str, options: Mapping[str, Any] | None = None, base: Path = Path()
    ) -> AuditSink:
        """The audit sink of that name; arguments as for `cipher`."""
        sink: AuditSink = self._make("audit_sinks", name, options, base)
        return sink

    def command(self, name: str) -> click.Command:
        """The command of that name."""
        command: click.Command = self._make("commands", name, None, Path())
        return command

    def names(self, group: Group) -> list[str]:
        """Names that may be loaded, sorted; nothing is imported, so one may still be broken."""
        return sorted({e.name for e in self._entries() if e.group == group and self._allows(e)})

    def listing(self, *, load: bool = False) -> list[PluginListing]:
        """Every entry point, by group and name. Never raises.

        Args:
            load: import each, to see whether it can be used.
        """
        entries = sorted(self._entries(), key=lambda e: (e.group, e.name, e.distribution))
        return [self._listed(entry, load) for entry in entries]

    # ------------------------------------------------------------------ finding

    def _entries(self) -> list[Entry]:
        with self._lock:
            if self._installed is None:
                self._installed = installed()
            return self._installed

    def _allows(self, entry: Entry) -> bool:
        return self._allow is None or any(allowed.covers(entry) for allowed in self._allow)

    def _find(self, group: str, name: str) -> Entry:
        offers = [e for e in self._entries() if (e.group, e.name) == (group, name)]
        if not offers:
            raise self._not_found(group, name)
        allowed = [entry for entry in offers if self._allows(entry)]
        if not allowed:
            raise _not_allowed(offers[0])
        if len(allowed) > 1:
            raise _conflict(allowed)
        if allowed[0].problem:
            raise PluginBroken(f"{_called(allowed[0])}: {allowed[0].problem}")
        return allowed[0]

    def _not_found(self, group: str, name: str) -> PluginNotFound:
        known = {entry.name for entry in self._entries() if entry.group == group}
        hint = extra_hint("tegmen", name) or did_you_mean(name, known)
        return PluginNotFound(f"no {KINDS[group]} {shown(name)} is installed", hint=hint)

    # ------------------------------------------------------------------ loading

    def _check_origin(self, entry: Entry) -> None:
        """Raises PluginNotAllowed for a module of another origin than the allow-list wants."""
        covering = [allowed for allowed in self._allow or () if allowed.covers(entry)]
        if covering and all(allowed.distribution for allowed in covering):
            from tegmen.origin import belongs

            if not belongs(entry.module, entry.distribution):
                raise _of_other_origin(entry)

    def _offer(self, entry: Entry) -> Offer[Any]:
        if entry.module not in self._managers:
            self._check_origin(entry)
        try:
            hook = getattr(self._manager(entry).hook, f"tegmen_{entry.group}")
            offers = [offer for offered in hook() for offer in offered]
        except (Exception, SystemExit) as error:
            raise _broken(entry, error) from error
        named = [o for o in offers if isinstance(o, Offer) and o.name == entry.name]
        if len(named) != 1:
            raise PluginBroken(
                f"{_called(entry)}: its metadata offers that name, its hook {len(named)} of them",
                hint=f"tegmen_{entry.group}() must return one Offer for each entry point",
            )
        return named[0]

    def _manager(self, entry: Entry) -> pluggy.PluginManager:
        """A manager with this one module, so that a hook reaches no other plugin."""
        with self._lock:
            manager = self._managers.get(entry.module)
            if manager is None:
                manager = self._managers[entry.module] = _load(entry.module)
            return manager

    def _make(self, group: Group, name: str, options: Mapping[str, Any] | None, base: Path) -> Any:
        entry = self._find(group, name)
        offer = self._offer(entry)
        try:
            made = offer.make(_options(entry, offer, options), base)
            says = _own_name(group, made)
        except TegmenError:
            raise
        except Exception as error:
            raise _broken(entry, error) from error
        if says not in (None, name):
            raise PluginBroken(f"{_called(entry)}: what it made calls itself {shown(says)}")
        return made

    # ------------------------------------------------------------------ listing

    def _listed(self, entry: Entry, load: bool) -> PluginListing:
        listed = PluginListing(
            entry.group, entry.name, entry.module, entry.distribution, entry.version
        )
        if entry.problem:
            return evolve(listed, problem=entry.problem)
        if entry.group not in KINDS:
            hint = did_you_mean(entry.group, KINDS)
            return evolve(listed, problem=f"there is no group tegmen.{entry.group}; {hint}")
        if not self._allows(entry):
            return evolve(listed, problem=str(_not_allowed(entry)))
        try:
            self._find(entry.group, entry.name)
            if load:
                return evolve(listed, needs=self._offer(entry).needs)
        except TegmenError as error:
            return evolve(listed, problem=". ".join(filter(None, (str(error), error.hint))))
        return listed


def _load(name: str) -> pluggy.PluginManager:
    from importlib import import_module

    import pluggy

    from tegmen import hooks

    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(import_module(name), name)
    manager.check_pending()
    return manager


def _options(entry: Entry, offer: Offer[Any], options: Mapping[str, Any] | None) -> Any:
    where = getattr(options, "where", f'options of {KINDS[entry.group]} "{entry.name}"')
    if offer.options is not None:
        from tegmen.structure import structure

        return structure(offer.options, options or {}, where)
    if options:
        keys = ", ".join(map(shown, options))
        raise ConfigError(f"{where}: {entry.name} takes no options, and {keys} is there")
    return None


def _own_name(group: Group, made: Any) -> str | None:
    """What the thing says it is called, where its interface asks for that."""
    if group == "ciphers":
        return str(made.info.name)
    return str(made.kind) if group in ("keystores", "sources", "carriers") else None


# --------------------------------------------------------------------------- errors


def _called(entry: Entry) -> str:
    return f'{KINDS[entry.group]} "{entry.name}" of {entry}'


def _not_allowed(entry: Entry) -> PluginNotAllowed:
    return PluginNotAllowed(
        f"{_called(entry)} (module {entry.module}) is outside the allow-list",
        hint=f'to use it, add "{entry.module}" to allow in [plugins]',
    )


def _of_other_origin(entry: Entry) -> PluginNotAllowed:
    return PluginNotAllowed(
        f"{_called(entry)}: Python would import {entry.module} from a file that is not known to "
        f"be of {entry.distribution}, and the allow-list names that distribution",
        hint="look for another module of that name on Python's path, or install it again",
    )


def _conflict(entries: Sequence[Entry]) -> PluginConflict:
    first = entries[0]
    whose = " and ".join(f"{entry} (module {entry.module})" for entry in entries)
    return PluginConflict(
        f'{KINDS[first.group]} "{first.name}" is offered by {whose}',
        hint="uninstall all but one, or allow only one: [plugins] allow with its distribution",
    )


def _broken(entry: Entry, error: BaseException) -> PluginBroken:
    hint = "tegmen plugins lists what is installed"
    reason = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        reason = f"the module {missing} is not installed"
        hint = extra_hint(entry.distribution, entry.name, missing) or hint
    return PluginBroken(f"{_called(entry)} cannot be used: {reason}", hint=hint)
