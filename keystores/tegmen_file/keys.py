"""The keys of a store in memory, and what may happen to them. Pure: every change is a new value."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import evolve, field, frozen

from tegmen.errors import ConfigError, KeyDestroyed, KeyExists, KeyNotFound
from tegmen.interfaces import KeyInfo, KeyState
from tegmen_file.document import name_fault
from tegmen_file.root import CHECK_SIZE, expand

ALGORITHM = "AES-256-GCM"
CHECK_KIND = "hmac-sha-256"


@frozen
class Version:
    """One key-encryption key; `key` is None once it is destroyed."""

    number: int
    created: str
    state: KeyState
    check: bytes
    key: bytes | None = field(repr=False)


@frozen
class Key:
    """A named key; `wrap` uses the last version. `prf` outlives rotation."""

    name: str
    prf: bytes | None = field(repr=False)
    versions: tuple[Version, ...]

    @property
    def current(self) -> Version:
        """The version that `wrap` uses."""
        return self.versions[-1]

    @property
    def destroyed(self) -> bool:
        """Whether only its key-check values are left."""
        return self.prf is None

    @property
    def info(self) -> KeyInfo:
        """What anyone may know of it."""
        current = self.current
        return KeyInfo(
            key_id=self.name,
            version=str(current.number),
            state=current.state,
            algorithm=ALGORITHM,
            check_kind=CHECK_KIND,
            check_value=current.check,
            created=self.versions[0].created,
            versions=tuple((str(version.number), version.state) for version in self.versions),
        )


def key_check(key: bytes) -> bytes:
    """Tells two keys of one name apart, and nothing else about `key`."""
    check_key = expand(key, None, "key check")
    return hmac.digest(check_key, b"tegmen key check", "sha256")[:CHECK_SIZE]


def _version(number: int) -> Version:
    key = os.urandom(32)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Version(number, now, "enabled", key_check(key), key)


def create(keys: Mapping[str, Key], name: str) -> Key:
    """A new key called `name`.

    Raises:
        KeyExists: there is one, or there was one and it was destroyed: objects that name it
            must not meet another key.
        ConfigError: no key may be called that.
    """
    if (fault := name_fault(name)) is not None:
        raise ConfigError(f"{name!r} cannot name a key: {fault}", hint="take a short plain name")
    if name in keys:
        gone = ", and was destroyed" if keys[name].destroyed else ""
        raise KeyExists(
            f"there is a key {name!r} already{gone}", hint="rotate it, or take another name"
        )
    return Key(name, os.urandom(32), (_version(1),))


def rotate(key: Key) -> Key:
    """With a new version. Raises KeyDestroyed."""
    refuse_destroyed(key)
    return evolve(key, versions=(*key.versions, _version(len(key.versions) + 1)))


def set_state(key: Key, number: str | None, *, enabled: bool) -> Key:
    """With one version, or all, enabled or disabled. Raises KeyNotFound, KeyDestroyed."""
    refuse_destroyed(key)
    if number is not None and number not in {str(version.number) for version in key.versions}:
        raise no_version(key.name, number)
    state: KeyState = "enabled" if enabled else "disabled"
    return evolve(
        key,
        versions=tuple(
            evolve(version, state=state) if number in {None, str(version.number)} else version
            for version in key.versions
        ),
    )


def destroy(key: Key) -> Key:
    """Only names, times and key-check values are left. Raises KeyDestroyed."""
    refuse_destroyed(key)
    versions = tuple(evolve(version, state="destroyed", key=None) for version in key.versions)
    return evolve(key, prf=None, versions=versions)


def merge(here: Key, there: Key) -> Key:
    """`here` and the later versions that only `there` has; a destroyed key stays destroyed.

    Raises:
        KeyExists: they are two keys of one name.
    """
    pairs = zip(here.versions, there.versions, strict=False)
    if any(mine.check != other.check for mine, other in pairs):
        raise KeyExists(
            f"the key {here.name!r} here is another key than the one in the backup",
            hint="restore into a new store, and use both",
        )
    if here.destroyed or there.destroyed:
        return here
    return evolve(here, versions=here.versions + there.versions[len(here.versions) :])


def refuse_destroyed(key: Key) -> None:
    """Raises KeyDestroyed if it is."""
    if key.destroyed:
        raise KeyDestroyed(
            f"the key {key.name!r} was destroyed",
            hint="only a backup made before, restored into a new store, can bring it back",
        )


def no_version(name: str, number: str) -> KeyNotFound:
    """What to raise when a key has no such version."""
    return KeyNotFound(
        f"the key {name!r} has no version {number!r}",
        hint="restore the backup that has it",
    )
