"""`tegmen doctor`: whether sealing and opening would work here, tried as far as possible."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final, Literal

import click
from attrs import asdict, frozen

from tegmen.cli.keys import named_keys
from tegmen.cli.settings import Settings, common, pass_settings
from tegmen.errors import CannotUnwrap, KeyStoreError, PolicyRefused, TegmenError, WrongKey
from tegmen.interfaces import KeyStore, Prober
from tegmen.sealer import Sealer

Verdict = Literal["ok", "warning", "failed"]
OTHER, KEYS = 1, 4
STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@frozen
class Check:
    """One thing that was tried.

    Attributes:
        exit_code: of the program, if it failed.
    """

    subject: str
    verdict: Verdict
    finding: str
    hint: str = ""
    exit_code: int = 0


@click.command("doctor")
@common
@pass_settings
@click.pass_context
def command(ctx: click.Context, settings: Settings) -> None:
    """Check this installation, its configuration, its key stores and every key.

    Every recipient key of every profile wraps and unwraps a random data key. Nothing is changed.

    \b
    Examples:
      tegmen doctor
      tegmen -c /etc/tegmen/tegmen.toml doctor --json
    """
    checks = list(_checks(settings))
    if settings.json:
        settings.screen.document([asdict(check) for check in checks])
    else:
        _show(settings, checks)
    ctx.exit(max(check.exit_code for check in checks))


def _show(settings: Settings, checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    from tegmen.cli.screen import plain

    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        text = plain(check.finding) + (f"\nhint: {plain(check.hint)}" if check.hint else "")
        table.add_row(Text(check.verdict, STYLES[check.verdict]), plain(check.subject), text)
    settings.screen.print(table)


def _checks(settings: Settings) -> Iterator[Check]:
    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Check("tegmen", "ok", version("tegmen"))
    yield Check("cryptography", "ok", _cryptography())
    try:
        sealer = settings.sealer()
    except TegmenError as error:
        yield _failed("configuration", error)
        yield from _plugins(settings)
        return
    config = sealer.config
    rules = f"{len(config.profiles)} profiles, {len(config.rules)} rules"
    yield Check("configuration", "ok", f"{config.path}: {rules}")
    yield from _plugins(settings)
    yield from _profiles(sealer)
    for alias in config.stores:
        yield from _store(sealer, alias)


def _cryptography() -> str:
    from cryptography.hazmat.backends.openssl import backend

    return f"{version('cryptography')} with {backend.openssl_version_text()}"


def _failed(subject: str, error: TegmenError) -> Check:
    code = KEYS if isinstance(error, KeyStoreError) else OTHER
    return Check(subject, "failed", str(error), error.hint, code)


def _plugins(settings: Settings) -> Iterator[Check]:
    try:
        listing = settings.registry().listing(load=True)
    except TegmenError:  # the configuration, which has a check of its own
        from tegmen.registry import Registry

        listing = Registry().listing(load=True)
    usable = [entry for entry in listing if not entry.problem]
    yield Check("plugins", "ok", f"{len(usable)} of {len(listing)} can be used")
    for entry in listing:
        if entry.problem:
            yield Check(f"plugin {entry.name}", "warning", entry.problem)


def _profiles(sealer: Sealer) -> Iterator[Check]:
    """Whether each profile's plugins can be made, and whether policy lets it seal."""
    registry, base = sealer.registry, sealer.config.base
    for name, profile in sealer.config.profiles.items():
        subject = f"profile {name}"
        try:
            registry.cipher(profile.cipher, profile.options.get(profile.cipher), base)
            registry.carrier(profile.carrier, profile.options.get(profile.carrier), base)
            sealer.explain(profile=name)
        except PolicyRefused as error:  # a rule may still opt in to its cipher
            yield Check(subject, "warning", str(error), error.hint)
        except TegmenError as error:
            yield _failed(subject, error)
        else:
            yield Check(subject, "ok", f"{profile.cipher} in {profile.carrier}")


def _store(sealer: Sealer, alias: str) -> Iterator[Check]:
    subject = f"store {alias}"
    try:
        store = sealer.store(alias)
    except TegmenError as error:
        yield _failed(subject, error)
        return
    problem = store.probe() if isinstance(store, Prober) else None
    if problem:
        yield Check(subject, "failed", problem, exit_code=KEYS)
        return
    yield Check(subject, "ok", f"kind {store.kind}")
    for key_id in named_keys(sealer.config, alias):
        yield _key(f"key {alias}/{key_id}", store, key_id)


def _key(subject: str, store: KeyStore, key_id: str) -> Check:
    """Wrap and unwrap what no image will ever use."""
    data_key, context = os.urandom(32), os.urandom(16)
    try:
        info = store.describe(key_id)
        wrapped = store.wrap(key_id, data_key, context)
        if store.unwrap(wrapped, context) != data_key:
            raise WrongKey("it does not unwrap what it wrapped", hint="do not seal with it")
    except CannotUnwrap:
        return Check(subject, "ok", f"wraps, version {info.version}; does not open from here")
    except TegmenError as error:
        return _failed(subject, error)
    return Check(subject, "ok", f"wraps and unwraps, version {info.version}")
