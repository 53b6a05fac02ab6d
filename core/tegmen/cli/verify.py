"""`tegmen verify`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from tegmen.cli.parameters import context_option, processes_option
from tegmen.cli.settings import Settings, common, pass_settings


@click.command("verify")
@click.argument("sealed", metavar="SEALED...", nargs=-1, required=True)
@context_option
@processes_option
@common
@pass_settings
@click.pass_context
def command(
    ctx: click.Context,
    settings: Settings,
    sealed: tuple[str, ...],
    context: Mapping[str, str],
    processes: int,
) -> None:
    """Decrypt and check sealed files all through, and write nothing.

    SEALED is a file, a folder, which is walked, or - for standard input.

    \b
    Examples:
      tegmen verify sealed.dcm
      tegmen verify archive/ -j 4 --json > report.jsonl
    """
    from tegmen.cli import batch
    from tegmen.cli.jobs import plan
    from tegmen.cli.work import Verify

    jobs = plan(sealed, None)
    ctx.exit(batch.run(settings, batch.VERIFYING, Verify(context), jobs, processes))
