"""Reads the file of the public key, which all may read and only its owner may write."""

from __future__ import annotations

from pathlib import Path

from tegmen.errors import ConfigError, InsecureConfig, StoreDamaged
from tegmen.private import unavailable
from tegmen.trusted import read_trusted


def read_public(path: Path) -> str:
    """The text of the file.

    Raises:
        InsecureConfig: others may write it or its folder.
        AccessDenied, StoreUnavailable, StoreDamaged: it cannot be read, or is no text.
    """
    try:
        return read_trusted(path)
    except InsecureConfig:
        raise
    except ConfigError as error:
        if isinstance(error.__cause__, OSError):
            raise unavailable(path, "public key", error.__cause__) from error
        raise StoreDamaged(
            f"public key: {error}", hint="put a copy of the right file in its place"
        ) from error
