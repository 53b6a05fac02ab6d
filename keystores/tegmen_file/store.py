"""The file key store itself: what tegmen calls.

Its folder holds `keystore.json` (the form is in `document.py`) and a lock file, nothing else.
What it cannot do: keys stay in this process's memory, which Python cannot wipe; a copy of an
old file brings back what was destroyed since, for whoever has the root secret; and an old
file put back by someone who may write the folder is not noticed.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from attrs import frozen

from tegmen.errors import (
    KeyDisabled,
    KeyExists,
    KeyNotFound,
    OutputError,
    StoreUnavailable,
    TegmenError,
    WrongKey,
)
from tegmen.interfaces import KeyInfo, Wrapped
from tegmen.private import make_folder
from tegmen_file import keys as life
from tegmen_file.closing import close_keys, open_keys
from tegmen_file.disk import Stamp, StoreFolder
from tegmen_file.document import MAX_SIZE, Argon2Cost, Document, Root, decode
from tegmen_file.keys import Key
from tegmen_file.options import FileOptions
from tegmen_file.root import RootKeys, new_root, open_root
from tegmen_file.secret import from_options
from tegmen_file.wrapping import Wrapper


@frozen
class _Opened:
    """The store as it was when its file had `stamp`; never changed, only replaced."""

    stamp: Stamp
    data: bytes
    root: Root
    keys: Mapping[str, Key]
    versions: Mapping[tuple[str, str], Wrapper]
    current: Mapping[str, Wrapper]


class FileStore:
    """Keys in one file. Safe to call from several threads; made anew in another process.

    Every call sees what any process wrote before it. The root secret is read, and a
    passphrase stretched, once, by the first call that needs it.

    Args:
        options: as the configuration has them.
        base: the folder that relative paths start from.
        cost: of the passphrase, when a store is made.
        lock_timeout: seconds that a writer waits for another one.

    Raises:
        ConfigError: not exactly one way to the root secret is named.
    """

    kind = "file"

    def __init__(
        self,
        options: FileOptions,
        base: Path,
        *,
        cost: Argon2Cost | None = None,
        lock_timeout: float = 10,
    ) -> None:
        self._folder = StoreFolder(base / options.path, lock_timeout)
        self._secret = from_options(options, base)
        self._cost = cost or Argon2Cost()
        self._loading = Lock()
        self._unlocked: tuple[Root, RootKeys] | None = None
        self._opened: _Opened | None = None

    def __repr__(self) -> str:
        return f"FileStore({str(self._folder.path)!r})"

    # ---------------------------------------------------------------- KeyStore

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> Wrapped:
        wrapper = self._now().current.get(key_id)
        if wrapper is None:
            raise self._not_found(key_id)
        return wrapper.wrap(data_key, context)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        opened = self._now()
        wrapper = opened.versions.get((wrapped.key_id, wrapped.version))
        if wrapper is None:
            self._key(opened.keys, wrapped.key_id)
            raise life.no_version(wrapped.key_id, wrapped.version)
        return wrapper.unwrap(wrapped, context)

    def describe(self, key_id: str) -> KeyInfo:
        return self._key(self._now().keys, key_id).info

    # ---------------------------------------------------------------- optional powers

    def probe(self) -> str | None:
        try:
            self._now()
        except TegmenError as error:
            return f"{error}; {error.hint}" if error.hint else str(error)
        return None

    def list_keys(self) -> Sequence[KeyInfo]:
        return [key.info for _, key in sorted(self._now().keys.items())]

    def prf(self, key_id: str, data: bytes) -> bytes:
        """32 bytes of HMAC-SHA-256 under the key's own PRF secret, the same for all versions.

        Raises:
            KeyNotFound, KeyDestroyed, StoreUnavailable.
            KeyDisabled: every version is disabled.
        """
        key = self._key(self._now().keys, key_id)
        life.refuse_destroyed(key)
        if key.prf is None or all(version.state == "disabled" for version in key.versions):
            raise KeyDisabled(f"the key {key_id!r} is disabled", hint="enable a version of it")
        return hmac.digest(key.prf, data, "sha256")

    def create(self, key_id: str) -> KeyInfo:
        with self._changing() as keys:
            keys[key_id] = life.create(keys, key_id)
        return self.describe(key_id)

    def rotate(self, key_id: str) -> KeyInfo:
        with self._changing() as keys:
            keys[key_id] = life.rotate(self._key(keys, key_id))
        return self.describe(key_id)

    def set_state(self, key_id: str, version: str | None, enabled: bool) -> KeyInfo:
        with self._changing() as keys:
            keys[key_id] = life.set_state(self._key(keys, key_id), version, enabled=enabled)
        return self.describe(key_id)

    def destroy(self, key_id: str, check_value: bytes) -> KeyInfo:
        """Destroy all versions. Names and key-check values stay, so that no other key can
        take the name, and so that it shows what was destroyed. Backups are out of its reach.
        """
        with self._changing() as keys:
            key = self._key(keys, key_id)
            if key.current.check != check_value:
                raise WrongKey(
                    f"the key {key_id!r} does not have the key-check value {check_value.hex()}",
                    hint="`tegmen keys show` prints the value of the key that is here",
                )
            keys[key_id] = life.destroy(key)
        return self.describe(key_id)

    def backup(self, target: Path) -> Sequence[str]:
        """A copy of the store's file, checked; it needs the same root secret.

        Raises:
            OutputError: `target` exists, cannot be written, or is in the store's own folder.
        """
        from tegmen.files import writing

        opened = self._now()
        if target.resolve().parent == self._folder.path.resolve():
            raise OutputError(
                f"a backup in the store's own folder {self._folder.path} is lost with it",
                hint="write it to another disk",
            )
        with writing(target, mode=0o600) as sink:
            sink.write(opened.data)
        return sorted(opened.keys)

    def restore(self, source: Path) -> Sequence[str]:
        """Add the keys, and the later versions of keys, that only the backup has.

        What is here stays as it is: a disabled version disabled, a destroyed key destroyed. A
        store that was lost whole is put back as it was.

        Raises:
            InputError: the backup cannot be read.
            StoreDamaged: it was altered.
            AccessDenied: it is of a store with another root secret.
            KeyExists: it holds another key of the same name. In all cases nothing changes.
        """
        data = _read_backup(source)
        backup = decode(data, str(source))
        if not self._folder.exists():
            return self._put_back(backup, data, str(source))
        with self._changing() as keys:
            there = open_keys(backup, self._unlock(backup.root, str(source)), str(source))
            before = dict(keys)
            for name, key in there.items():
                keys[name] = life.merge(keys.get(name, key), key)
            return [name for name in sorted(there) if keys[name] != before.get(name)]

    def _put_back(self, backup: Document, data: bytes, source: str) -> Sequence[str]:
        keys = open_keys(backup, self._unlock(backup.root, source), source)
        make_folder(self._folder.path)
        with self._folder.locked():
            if self._folder.exists():
                raise StoreUnavailable(
                    f"another process made a key store in {self._folder.path} meanwhile",
                    hint="restore again: keys that are missing are then added to it",
                )
            self._folder.write(data)
        return sorted(keys)

    def initialise(self) -> None:
        make_folder(self._folder.path)
        with self._folder.locked():
            if self._folder.exists():
                raise KeyExists(
                    f"there is a key store in {self._folder.path} already",
                    hint="use it, or take another folder",
                )
            self._unlocked = root, root_keys = new_root(self._secret, self._cost)
            self._folder.write(close_keys(root, root_keys, {}))

    # ---------------------------------------------------------------- reading and changing

    def _now(self) -> _Opened:
        opened = self._opened
        if opened is not None and opened.stamp == self._folder.stamp():
            return opened
        with self._loading:
            opened = self._opened
            if opened is None or opened.stamp != self._folder.stamp():
                self._opened = opened = self._load()
        return opened

    def _load(self) -> _Opened:
        where = str(self._folder.file)
        stamp, data = self._folder.read()
        document = decode(data, where)
        if self._unlocked is None or self._unlocked[0] != document.root:
            self._unlocked = document.root, open_root(document.root, self._secret, where)
        keys = open_keys(document, self._unlocked[1], where)
        versions = {
            (key.name, str(version.number)): Wrapper(key, version)
            for key in keys.values()
            for version in key.versions
        }
        current = {key.name: versions[key.name, str(key.current.number)] for key in keys.values()}
        return _Opened(stamp, data, document.root, keys, versions, current)

    def _unlock(self, root: Root, where: str) -> RootKeys:
        unlocked = self._unlocked
        if unlocked is not None and unlocked[0] == root:
            return unlocked[1]
        return open_root(root, self._secret, where)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        """The keys, for change; written if they were changed and nothing was raised."""
        with self._folder.locked():
            opened = self._now()
            keys = dict(opened.keys)
            yield keys
            if keys != opened.keys:
                root_keys = self._unlock(opened.root, str(self._folder.file))
                self._folder.write(close_keys(opened.root, root_keys, keys))

    def _key(self, keys: Mapping[str, Key], key_id: str) -> Key:
        key = keys.get(key_id)
        if key is None:
            raise self._not_found(key_id)
        return key

    def _not_found(self, key_id: str) -> KeyNotFound:
        return KeyNotFound(
            f"the key store {self._folder.path} has no key {key_id!r}",
            hint="`tegmen keys list` shows what it has, `tegmen keys create` makes one",
        )


def _read_backup(source: Path) -> bytes:
    from tegmen.files import reading

    with reading(source) as (reader, _):
        return bytes(reader.view(0, min(reader.size, MAX_SIZE + 1)))
