"""Parameters that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _pairs(
    _ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """The mapping that `NAME=VALUE` options add up to; a value may hold more equal signs."""
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not (name and equals and _is_text(pair)):
            raise click.BadParameter(f"{pair!r} is not of the form NAME=VALUE")
        if found.setdefault(name, value) != value:
            raise click.BadParameter(f"{name} is given two values")
    return found


def _is_text(argument: str) -> bool:
    """Whether it is Unicode; a shell can pass any bytes."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pairs_option(name: str, text: str) -> Callable[[Decorated], Decorated]:
    return click.option(name, metavar="NAME=VALUE", multiple=True, callback=_pairs, help=text)


context_option = _pairs_option("--context", "A value that the object is bound to; repeatable.")
declare_option = _pairs_option("--declare", "An attribute that rules may ask for; repeatable.")
profile_option = click.option(
    "-p", "--profile", metavar="NAME", help="The profile; if not given, the rules choose."
)
output_option = click.option(
    "-o", "--output", metavar="OUT", required=True, help="A file, a folder, or - for stdout."
)
force_option = click.option("--force", is_flag=True, help="Replace outputs that exist.")
processes_option = click.option(
    "-j",
    "--jobs",
    "processes",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    help="Use N processes.",
)
