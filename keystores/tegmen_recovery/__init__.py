"""The `recovery` key store: seals with a public key; opens with a private key kept offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tegmen.hooks import hookimpl
from tegmen.interfaces import KeyStore, Offer
from tegmen_recovery.options import RecoveryOptions

if TYPE_CHECKING:
    from tegmen_recovery.store import RecoveryStore


def make_store(options: RecoveryOptions, folder: Path) -> RecoveryStore:
    """The store that `options` describe; its files are touched by its first use, not here.

    Args:
        folder: what relative paths in the options start from.
    """
    from tegmen_recovery.store import RecoveryStore

    return RecoveryStore(options, folder)


@hookimpl
def tegmen_keystores() -> Sequence[Offer[KeyStore]]:
    """The one store that this plugin supplies."""
    return [Offer(name="recovery", make=make_store, options=RecoveryOptions)]


__all__ = ["RecoveryOptions", "make_store", "tegmen_keystores"]
