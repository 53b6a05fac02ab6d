"""`tegmen inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tegmen.cli.settings import Settings, common, pass_settings

if TYPE_CHECKING:
    from tegmen.receipts import Inspection

UNVERIFIED = (
    "UNVERIFIED: this is what the file says of itself; anybody could have written it.\n"
    "`tegmen verify` checks it, and needs a key."
)


@click.command("inspect")
@click.argument("sealed", metavar="SEALED")
@common
@pass_settings
def command(settings: Settings, sealed: str) -> None:
    """Show what a sealed file says of itself to anyone.

    Needs no key and no configuration, and verifies nothing. SEALED is a file, or - for standard
    input.

    \b
    Examples:
      tegmen inspect sealed.dcm
      tegmen inspect scan.png.tgm --json
    """
    from attrs import asdict

    from tegmen.cli.streams import STREAM, standard_input

    source = standard_input() if sealed == STREAM else sealed
    found = settings.sealer_without_keys().inspect(source)
    if settings.json:
        settings.screen.document({"verified": False, **asdict(found)})
        return
    settings.screen.data(UNVERIFIED)
    settings.screen.facts(_facts(found))


def _facts(found: Inspection) -> dict[str, object]:
    segment = f"{found.segment_size:,} bytes" if found.segment_size else "one for each part"
    return {
        "object": found.object_id,
        "carrier": found.carrier + _unlike(found.says_carrier, found.carrier),
        "source": found.source,
        "profile": found.profile,
        "cipher": found.cipher,
        "names and lengths": found.manifest_cipher,
        "extra MAC": found.mac or "none: the cipher authenticates",
        "parts": f"{found.parts:,}, {found.stored:,} bytes with padding",
        "segments": segment,
        "in clear": ", ".join(f"{name}={value}" for name, value in found.public) or "nothing",
        "context to open": ", ".join(found.required) or "none",
        "recipients": ", ".join(found.slots),
        "slot zones": f"{found.zones} of 2 whole, generation {found.generation}",
    }


def _unlike(says: str, carrier: str) -> str:
    return "" if says == carrier else f", but it says {says}"
