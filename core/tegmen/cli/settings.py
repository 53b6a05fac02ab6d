"""The options that every command has, and what they add up to."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import evolve, frozen

if TYPE_CHECKING:
    from tegmen.cli.screen import Screen
    from tegmen.profile import Config
    from tegmen.registry import Registry
    from tegmen.sealer import Sealer

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
DEFAULT_CONFIG = "tegmen.toml"


@frozen
class Settings:
    """What holds for one run.

    Attributes:
        config: path of the configuration; None when the user named none.
        json: whether stdout gets JSON.
        quiet: whether people are told of failures only.
        no_input: whether asking anything is a failure.
        debug: whether failures come with a traceback.
    """

    config: str | None = None
    json: bool = False
    quiet: bool = False
    no_input: bool = False
    debug: bool = False

    @property
    def config_path(self) -> str:
        """Where the configuration is; nothing is searched for."""
        return self.config or DEFAULT_CONFIG

    @property
    def screen(self) -> Screen:
        """Where words, tables and documents go."""
        from tegmen.cli.screen import Screen

        return Screen(json=self.json, quiet=self.quiet)

    def sealer(self) -> Sealer:
        """Under the configuration. Raises ConfigError."""
        from tegmen.sealer import Sealer

        return Sealer.from_file(self.config_path)

    def sealer_without_keys(self) -> Sealer:
        """To look at what needs no key; it works without a configuration too."""
        from tegmen.profile import Config
        from tegmen.sealer import Sealer

        return Sealer(self.optional_config() or Config(version=1, rules=()))

    def registry(self) -> Registry:
        """The plugins that may be used: all, where there is no configuration."""
        from tegmen.registry import Registry

        config = self.optional_config()
        return Registry(config.plugins.allow if config else None)

    def optional_config(self) -> Config | None:
        """The configuration, or None if the user named none and the default is not there."""
        from tegmen.profile import load

        if self.config is None and not os.path.lexists(DEFAULT_CONFIG):
            return None
        return load(self.config_path)


def common(command: Decorated) -> Decorated:
    """Adds the options of every command; they may stand before or after its name."""
    for name, text in _FLAGS.items():
        command = _flag(name, text)(command)
    return click.option(
        "-c",
        "--config",
        metavar="FILE",
        type=click.Path(),
        expose_value=False,
        callback=_remember,
        help=f"The configuration; ./{DEFAULT_CONFIG} if not given.",
    )(command)


_FLAGS = {
    "debug": "Show where a failure came from.",
    "no-input": "Never ask; fail instead.",
    "quiet": "Say nothing but errors.",
    "json": "Print JSON on standard output.",
}


def _flag(name: str, text: str) -> Callable[[Decorated], Decorated]:
    shorts = ("-q",) if name == "quiet" else ()
    return click.option(
        *shorts, f"--{name}", is_flag=True, expose_value=False, callback=_remember, help=text
    )


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    settings = ctx.ensure_object(Settings)
    if not value:
        return
    ctx.obj = evolve(settings, **{str(parameter.name): value})
    if parameter.name == "no_input":
        ctx.with_resource(_NoTerminal())


class _NoTerminal(io.TextIOWrapper):
    """Standard input with the same bytes, that nobody can be asked a question through."""

    def __init__(self) -> None:
        self._before: Any = sys.stdin
        super().__init__(io.BytesIO() if sys.stdin is None else sys.stdin.buffer)

    def isatty(self) -> bool:
        return False

    def __enter__(self) -> _NoTerminal:
        sys.stdin = self
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdin = self._before
        self.detach()


pass_settings = click.make_pass_decorator(Settings)
