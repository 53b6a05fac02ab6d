"""`tegmen plugins`."""

from __future__ import annotations

import click

from tegmen.cli.settings import Settings, common, pass_settings


@click.command("plugins")
@common
@pass_settings
def command(settings: Settings) -> None:
    """List everything that plugins supply: ciphers, key stores, sources, carriers, commands.

    Each is loaded once, to see whether it works. If there is a configuration, what its
    allow-list leaves out is marked.

    \b
    Examples:
      tegmen plugins
      tegmen plugins --json
    """
    from attrs import asdict

    found = settings.registry().listing(load=True)
    if settings.json:
        settings.screen.document([asdict(entry) for entry in found])
        return
    settings.screen.table(
        ("group", "name", "from", "needs", "problem"),
        [
            (
                entry.group,
                entry.name,
                f"{entry.distribution} {entry.version}",
                entry.needs,
                entry.problem or "",
            )
            for entry in found
        ],
    )
