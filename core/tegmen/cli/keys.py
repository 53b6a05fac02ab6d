"""`tegmen keys`: what is done to keys, as far as their store can do it from here."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tegmen.cli.settings import Settings, common, pass_settings
from tegmen.cli.streams import is_terminal
from tegmen.errors import ConfigError
from tegmen.interfaces import Archiver, Destroyer, KeyInfo, KeyStore, Lister, Rotator

if TYPE_CHECKING:
    from tegmen.profile import Config
    from tegmen.sealer import Sealer


@click.group("keys")
def command() -> None:
    """Create, list, rotate, disable, destroy, back up and restore keys.

    A key is named STORE/KEY, as recipients are in the configuration. What a store cannot do from
    here, for instance because it is a server with its own tools, is an error that says so.

    \b
    Examples:
      tegmen keys list
      tegmen keys rotate hospital/images
      tegmen keys backup hospital -o /media/usb/hospital.backup
    """


key_argument = click.argument("key", metavar="STORE/KEY")
store_argument = click.argument("store", metavar="STORE")


# --------------------------------------------------------------------------- looking


@command.command("list")
@click.argument("store", metavar="[STORE]", required=False)
@common
@pass_settings
def list_keys(settings: Settings, store: str | None) -> None:
    """List the keys of one store, or of all.

    Of a store that cannot list its keys, those are shown that the profiles name.

    \b
    Examples:
      tegmen keys list
      tegmen keys list hospital --json
    """
    sealer = settings.sealer()
    aliases = [store] if store else sorted(sealer.config.stores)
    found = [(alias, info) for alias in aliases for info in _keys_of(sealer, alias)]
    if settings.json:
        settings.screen.document([_document(alias, info) for alias, info in found])
        return
    settings.screen.table(
        ("key", "state", "version", "created", "key-check value"),
        [
            (f"{alias}/{info.key_id}", info.state, info.version, info.created, _check(info))
            for alias, info in found
        ],
    )


def _keys_of(sealer: Sealer, alias: str) -> Iterator[KeyInfo]:
    store = sealer.store(alias)
    if isinstance(store, Lister):
        yield from store.list_keys()
        return
    for key_id in named_keys(sealer.config, alias):
        yield store.describe(key_id)


def named_keys(config: Config, alias: str) -> list[str]:
    """The keys of one store that profiles name as recipients."""
    recipients = [entry for profile in config.profiles.values() for entry in profile.recipients]
    return sorted({entry.key_id for entry in recipients if entry.store == alias})


@command.command("show")
@key_argument
@common
@pass_settings
def show(settings: Settings, key: str) -> None:
    """Show one key: its versions, its key-check value, and the profiles that seal for it.

    \b
    Examples:
      tegmen keys show hospital/images
    """
    sealer = settings.sealer()
    alias, key_id = _split(key)
    info = sealer.store(alias).describe(key_id)
    profiles = _profiles_for(sealer.config, key)
    if settings.json:
        settings.screen.document({**_document(alias, info), "profiles": profiles})
        return
    settings.screen.facts(
        {
            "key": key,
            "state": info.state,
            "wraps with version": info.version,
            "algorithm": info.algorithm,
            "created": info.created or "the store does not say",
            "key-check value": f"{_check(info)} ({info.check_kind})",
            "versions": ", ".join(f"{version} {state}" for version, state in info.versions),
            "sealed for by": ", ".join(profiles) or "no profile",
        }
    )


# --------------------------------------------------------------------------- changing


@command.command("create")
@key_argument
@common
@pass_settings
def create(settings: Settings, key: str) -> None:
    """Make a key. Profiles use it once they name it as a recipient.

    \b
    Examples:
      tegmen keys create hospital/research
    """
    alias, key_id = _split(key)
    store = _rotator(settings.sealer(), alias)
    _tell(settings, alias, store.create(key_id), "created; back it up before it seals anything")


@command.command("rotate")
@key_argument
@common
@pass_settings
def rotate(settings: Settings, key: str) -> None:
    """Make a new version of a key, which seals from now on; old ones still open.

    \b
    Examples:
      tegmen keys rotate hospital/images
    """
    alias, key_id = _split(key)
    store = _rotator(settings.sealer(), alias)
    told = "rotated; every backup of this store is now out of date: make a new one"
    _tell(settings, alias, store.rotate(key_id), told)


@command.command("disable")
@key_argument
@click.option("--version", metavar="N", help="One version; by default all.")
@common
@pass_settings
def disable(settings: Settings, key: str, version: str | None) -> None:
    """Make a key unusable for sealing and opening, until it is enabled again.

    \b
    Examples:
      tegmen keys disable hospital/images
      tegmen keys disable hospital/images --version 1
    """
    _set_state(settings, key, version, enabled=False)


@command.command("enable")
@key_argument
@click.option("--version", metavar="N", help="One version; by default all.")
@common
@pass_settings
def enable(settings: Settings, key: str, version: str | None) -> None:
    """Make a disabled key usable again.

    \b
    Examples:
      tegmen keys enable hospital/images
    """
    _set_state(settings, key, version, enabled=True)


def _set_state(settings: Settings, key: str, version: str | None, *, enabled: bool) -> None:
    alias, key_id = _split(key)
    sealer = settings.sealer()
    info = _rotator(sealer, alias).set_state(key_id, version, enabled)
    profiles = _profiles_for(sealer.config, key)
    told = "enabled" if enabled else "disabled"
    if info.state != "enabled" and profiles:
        told += f"; nothing can be sealed now with {', '.join(profiles)}"
    _tell(settings, alias, info, told)


@command.command("destroy")
@key_argument
@click.option("--check-value", metavar="HEX", help="As `keys show` prints it: proves which key.")
@common
@pass_settings
def destroy(settings: Settings, key: str, check_value: str | None) -> None:
    """Destroy a key with all its versions, for good.

    What was sealed for no other key can never be opened again. A person is asked to type the
    key's name; a program gives its key-check value.

    \b
    Examples:
      tegmen keys destroy hospital/old-images
      tegmen keys destroy hospital/old-images --check-value 3f9c51e07a6b2d48
    """
    alias, key_id = _split(key)
    sealer = settings.sealer()
    store = _destroyer(sealer, alias)
    value = _asked(settings, sealer, key) if check_value is None else _value(check_value)
    told = "destroyed for good; old backups may still hold it"
    _tell(settings, alias, store.destroy(key_id, value), told)


def _value(check_value: str) -> bytes:
    try:
        return bytes.fromhex(check_value)
    except ValueError:
        raise click.BadParameter(
            f"{check_value!r} is not hexadecimal", param_hint="--check-value"
        ) from None


def _asked(settings: Settings, sealer: Sealer, key: str) -> bytes:
    """The key-check value of a key, once a person has named it twice."""
    alias, key_id = _split(key)
    info = sealer.store(alias).describe(key_id)
    if settings.no_input or not is_terminal(sys.stdin):
        raise click.UsageError(
            "there is nobody to ask; give --check-value, which `tegmen keys show` prints"
        )
    profiles = ", ".join(_profiles_for(sealer.config, key)) or "none"
    settings.screen.warn(
        f"{key} has {len(info.versions)} version(s) and the key-check value {_check(info)}.\n"
        f"Profiles that seal for it: {profiles}.\n"
        "What was sealed for no other key can never be opened again, by anybody."
    )
    if click.prompt("Type its name to destroy it", err=True) != key:
        raise click.UsageError("that is not its name; nothing was destroyed")
    return info.check_value


# --------------------------------------------------------------------------- keeping


@command.command("backup")
@store_argument
@click.option("-o", "--output", metavar="FILE", required=True, help="The backup; must not exist.")
@common
@pass_settings
def backup(settings: Settings, store: str, output: str) -> None:
    """Write all keys of a store, still protected, to one file.

    What protects the store, its key file or passphrase, is not in it: keep that too, elsewhere.

    \b
    Examples:
      tegmen keys backup hospital -o /media/usb/hospital.backup
    """
    names = _archiver(settings.sealer(), store).backup(Path(output))
    _tell_names(settings, store, output, names, "backed up")


@command.command("restore")
@store_argument
@click.argument("source", metavar="FILE")
@common
@pass_settings
def restore(settings: Settings, store: str, source: str) -> None:
    """Put back the keys of a backup that are missing here; no key that is here changes.

    \b
    Examples:
      tegmen keys restore hospital /media/usb/hospital.backup
    """
    names = _archiver(settings.sealer(), store).restore(Path(source))
    _tell_names(settings, store, source, names, "restored")


def _tell_names(settings: Settings, store: str, file: str, names: Sequence[str], done: str) -> None:
    keys = [f"{store}/{name}" for name in names]
    if settings.json:
        settings.screen.document({"store": store, "file": file, "keys": keys})
    settings.screen.note(f"{done}: {', '.join(keys) or 'nothing was missing'}")


# --------------------------------------------------------------------------- helpers


def _split(key: str) -> tuple[str, str]:
    alias, slash, key_id = key.partition("/")
    if not (alias and slash and key_id):
        raise click.UsageError(f"{key!r} is not of the form STORE/KEY")
    return alias, key_id


def _profiles_for(config: Config, key: str) -> list[str]:
    profiles = config.profiles.values()
    return sorted(one.name for one in profiles if key in map(str, one.recipients))


def _check(info: KeyInfo) -> str:
    return info.check_value.hex() or "none"


def _document(alias: str, info: KeyInfo) -> dict[str, object]:
    from attrs import asdict

    return {"store": alias, "key": f"{alias}/{info.key_id}", **asdict(info)}


def _tell(settings: Settings, alias: str, info: KeyInfo, told: str) -> None:
    if settings.json:
        settings.screen.document(_document(alias, info))
    settings.screen.note(f"{alias}/{info.key_id}: {told}")


def _rotator(sealer: Sealer, alias: str) -> Rotator:
    store = sealer.store(alias)
    if not isinstance(store, Rotator):
        raise _lacks(alias, store, "make, rotate or disable keys")
    return store


def _destroyer(sealer: Sealer, alias: str) -> Destroyer:
    store = sealer.store(alias)
    if not isinstance(store, Destroyer):
        raise _lacks(alias, store, "destroy keys")
    return store


def _archiver(sealer: Sealer, alias: str) -> Archiver:
    store = sealer.store(alias)
    if not isinstance(store, Archiver):
        raise _lacks(alias, store, "back up or restore keys")
    return store


def _lacks(alias: str, store: KeyStore, what: str) -> ConfigError:
    return ConfigError(
        f"the store {alias}, of kind {store.kind}, cannot {what} from here",
        hint="use the tools that belong to that store",
    )
