"""`tegmen seal`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from tegmen.cli.parameters import (
    context_option,
    declare_option,
    force_option,
    output_option,
    processes_option,
    profile_option,
)
from tegmen.cli.settings import Settings, common, pass_settings


@click.command("seal")
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@output_option
@profile_option
@context_option
@declare_option
@click.option("--name", help="The name to restore; by default that of SRC.")
@force_option
@processes_option
@common
@pass_settings
@click.pass_context
def command(
    ctx: click.Context,
    settings: Settings,
    sources: tuple[str, ...],
    output: str,
    profile: str | None,
    context: Mapping[str, str],
    declare: Mapping[str, str],
    name: str | None,
    force: bool,
    processes: int,
) -> None:
    """Seal files under the profile that the rules choose for each.

    SRC is a file, a folder, which is walked and keeps its tree, or - for standard input. OUT is
    a file for one source, and a folder for several or for a folder. Sources are never changed;
    an output appears whole or not at all.

    \b
    Examples:
      tegmen seal ct.dcm -o sealed.dcm
      tegmen seal study/ -o sealed/ -j 4
      tegmen seal ct.dcm -o out/ --declare purpose=teleradiology --context case=2024-117
      cat scan.png | tegmen seal - --name scan.png -o - > scan.png.tgm
    """
    from tegmen.cli import batch
    from tegmen.cli.jobs import plan
    from tegmen.cli.streams import STREAM
    from tegmen.cli.work import Seal

    batch.refuse_mixed(settings, output)
    jobs = plan(sources, output)
    if name is not None and jobs.several:
        raise click.UsageError("--name is for one source")
    if name is None and sources == (STREAM,) and jobs.jobs[0].folder:
        raise click.UsageError("standard input has no name; give it one with --name")
    with batch.outputs(jobs, force) as outputs:
        work = Seal(outputs, profile, context, declare, name)
        ctx.exit(batch.run(settings, batch.SEALING, work, jobs, processes))
