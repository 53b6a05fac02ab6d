"""Standard authenticated ciphers: AES-256-GCM, AES-256-GCM-SIV and ChaCha20-Poly1305."""

from __future__ import annotations

from collections.abc import Sequence

from tegmen.hooks import hookimpl
from tegmen.interfaces import Cipher, Offer


@hookimpl
def tegmen_ciphers() -> Sequence[Offer[Cipher]]:
    from tegmen_aead import ciphers

    return ciphers.OFFERS
