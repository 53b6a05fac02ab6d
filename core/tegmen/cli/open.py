"""`tegmen open`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from tegmen.cli.parameters import context_option, force_option, output_option, processes_option
from tegmen.cli.settings import Settings, common, pass_settings


@click.command("open")
@click.argument("sealed", metavar="SEALED...", nargs=-1, required=True)
@output_option
@context_option
@force_option
@processes_option
@common
@pass_settings
@click.pass_context
def command(
    ctx: click.Context,
    settings: Settings,
    sealed: tuple[str, ...],
    output: str,
    context: Mapping[str, str],
    force: bool,
    processes: int,
) -> None:
    """Restore the originals of sealed files, bit for bit.

    SEALED is a file, a folder, which is walked and keeps its tree, or - for standard input. OUT
    is a file for one, and a folder for several or for a folder, where each file gets the name
    that was sealed with it. A file appears only after all of it was verified; on standard output
    each segment is verified before it is written, so wait for the exit code before you trust it.

    \b
    Examples:
      tegmen open sealed.dcm -o ct.dcm
      tegmen open sealed/ -o opened/ -j 4
      tegmen open out/ct.dcm -o ct.dcm --context case=2024-117
      tegmen open scan.png.tgm -o - | display
    """
    from tegmen.cli import batch
    from tegmen.cli.jobs import plan
    from tegmen.cli.work import Open

    batch.refuse_mixed(settings, output)
    jobs = plan(sealed, output)
    with batch.outputs(jobs, force) as outputs:
        work = Open(outputs, context)
        ctx.exit(batch.run(settings, batch.OPENING, work, jobs, processes))
