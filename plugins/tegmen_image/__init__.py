"""Any file as source, and `.tgm`, the sealed stream as it is, as carrier."""

from __future__ import annotations

from collections.abc import Sequence

from tegmen.hooks import hookimpl
from tegmen.interfaces import Carrier, Offer, Source


@hookimpl
def tegmen_sources() -> Sequence[Offer[Source]]:
    from tegmen_image.source import FileSource

    return [Offer("file", lambda _options, _folder: FileSource())]


@hookimpl
def tegmen_carriers() -> Sequence[Offer[Carrier]]:
    from tegmen_image.carrier import TgmCarrier

    return [Offer("tgm", lambda _options, _folder: TgmCarrier())]
