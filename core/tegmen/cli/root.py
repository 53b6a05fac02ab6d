"""The group of all commands; a command's module is imported when the command is used."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from tegmen.cli import streams
from tegmen.cli.settings import Settings, common
from tegmen.problem import did_you_mean, shown

if TYPE_CHECKING:
    from tegmen.registry import Registry

SECTIONS: Final = {
    "Images": {
        "seal": "Protect images and other files.",
        "open": "Restore the originals, bit for bit.",
        "verify": "Check sealed files all through; write nothing.",
        "inspect": "Show what a sealed file says of itself; needs no key.",
        "explain": "Say which profile a file would get, and why.",
    },
    "Setting up": {
        "init": "Make a configuration, a key store and a recovery key.",
        "keys": "Create, list, rotate, disable, destroy and back up keys.",
        "doctor": "Check this installation, its configuration and its keys.",
        "plugins": "List ciphers, key stores, sources and carriers.",
        "demo": "See all of it happen to real images, in a minute.",
    },
}
"""Every built-in command, with its help in one line; each is `tegmen.cli.<name>.command`."""

BUILT_IN: Final = frozenset(name for section in SECTIONS.values() for name in section)


class Root(click.Group):
    """Finds commands by name, its own first; only errors that nobody foresaw leave it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        own = [name for section in SECTIONS.values() for name in section]
        return own + [name for name in _installed().names("commands") if name not in BUILT_IN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in BUILT_IN:
            command: click.Command = import_module(f"tegmen.cli.{cmd_name}").command
            return command
        if cmd_name in _installed().names("commands"):
            return ctx.ensure_object(Settings).registry().command(cmd_name)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        known = self.list_commands(ctx) if self.get_command(ctx, name) is None else []
        if known and not name.startswith("-"):
            meant = did_you_mean(name, known)
            raise click.UsageError(f"there is no command {shown(name)}; {meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, commands in SECTIONS.items():
            _section(formatter, title, commands.items(), width)
        _section(formatter, "From plugins", list(_offered()), width)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        given = sys.argv[1:] if args is None else list(args)
        prog_name = prog_name or "tegmen"
        if not standalone_mode:
            return super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
            streams.finish_output()
        except Exception as error:  # noqa: BLE001  # the edge of the program
            from tegmen.cli import faults

            code = faults.report(error, given)
            streams.abandon_output()
        sys.exit(code if isinstance(code, int) else 0)


def _installed() -> Registry:
    """All plugins, to name them."""
    from tegmen.registry import Registry

    return Registry()


def _offered() -> Iterable[tuple[str, str]]:
    for entry in _installed().listing():
        if entry.group == "commands" and entry.name not in BUILT_IN:
            yield entry.name, f"From {entry.distribution} {entry.version}."


def _section(
    formatter: click.HelpFormatter, title: str, rows: Iterable[tuple[str, str]], width: int
) -> None:
    rows = [(name.ljust(width), text) for name, text in rows]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"tegmen {version('tegmen')}")
        ctx.exit()


@click.group(
    "tegmen",
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: tegmen demo, then: tegmen init my-hospital",
)
@common
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print the version.",
)
def root() -> None:
    """Seal medical images: ordinary systems can carry them, nobody without a key can read
    them or alter them unnoticed, and whoever holds a key gets the original back bit for bit.

    \b
    Examples:
      tegmen demo
      tegmen seal study/ -o sealed/
      tegmen open sealed/ -o opened/
    """
