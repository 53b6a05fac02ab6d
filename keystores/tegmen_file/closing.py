"""From the keys in memory to the bytes of the file, and back, under the root keys."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from attrs import evolve

from tegmen_file.document import Document, KeyRecord, Root, VersionRecord, encode
from tegmen_file.keys import Key, Version
from tegmen_file.root import RootKeys, damaged


def close_keys(root: Root, root_keys: RootKeys, keys: Mapping[str, Key]) -> bytes:
    """The file that holds `keys`; every secret is wrapped anew. Raises StoreUnavailable."""
    records = tuple(_close(root_keys, keys[name]) for name in sorted(keys))
    document = Document(root, records)
    return encode(evolve(document, mac=root_keys.mac(document)))


def open_keys(document: Document, root_keys: RootKeys, where: str) -> dict[str, Key]:
    """The keys that `document` holds, all or none.

    Args:
        where: names the file in messages.

    Raises:
        StoreDamaged: it is not what was written.
    """
    if not hmac.compare_digest(root_keys.mac(document), document.mac):
        raise damaged(where)
    return {record.name: _open(root_keys, record, where) for record in document.keys}


def _close(root_keys: RootKeys, key: Key) -> KeyRecord:
    prf = None if key.prf is None else root_keys.wrap(key.prf, ("prf", key.name))
    versions = tuple(_close_version(root_keys, key.name, version) for version in key.versions)
    return KeyRecord(key.name, prf, versions)


def _close_version(root_keys: RootKeys, name: str, version: Version) -> VersionRecord:
    wrapped = None
    if version.key is not None:
        wrapped = root_keys.wrap(version.key, ("key", name, version.number, version.state))
    return VersionRecord(version.number, version.created, version.state, version.check, wrapped)


def _open(root_keys: RootKeys, record: KeyRecord, where: str) -> Key:
    name = record.name
    prf = None if record.prf is None else root_keys.unwrap(record.prf, ("prf", name), where)
    versions = tuple(_open_version(root_keys, name, one, where) for one in record.versions)
    return Key(name, prf, versions)


def _open_version(root_keys: RootKeys, name: str, record: VersionRecord, where: str) -> Version:
    key = None
    if record.wrapped is not None:
        what = ("key", name, record.number, record.state)
        key = root_keys.unwrap(record.wrapped, what, where)
    return Version(record.number, record.created, record.state, record.check, key)
