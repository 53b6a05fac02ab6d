"""What is wrong with a configuration, said so that its reader can mend it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import frozen

from tegmen.errors import ConfigError

MAX_LINES: Final = 20

Where = tuple[str | int, ...]
"""The keys that lead to a value; integers count the entries of a list from 0."""


class Mismatch(ValueError):
    """A value is not what its key wants; what reads a table turns it into a Problem."""

    def __init__(self, value: object, expected: str, hint: str = "", where: Where = ()) -> None:
        super().__init__(expected)
        self.value = value
        self.expected = expected
        self.hint = hint
        self.where = where


@frozen
class Problem:
    """One thing that is wrong, where, and what may be meant."""

    where: Where
    text: str
    hint: str = ""


def config_error(where: str, problems: Iterable[Problem]) -> ConfigError:
    """All the problems of one file or table as one error, a line each."""
    found = list(problems)
    lines = [": ".join(filter(None, (where, dotted(p.where), p.text))) for p in found]
    if len(lines) > MAX_LINES:
        lines[MAX_LINES:] = [f"... and {len(lines) - MAX_LINES} more"]
    hints = dict.fromkeys(problem.hint for problem in found[:MAX_LINES] if problem.hint)
    return ConfigError("\n".join(lines), hint="; ".join(hints))


def dotted(where: Where) -> str:
    """The keys as one writes them in TOML; entries of a list are counted from 1."""
    text = ""
    for key in where:
        if isinstance(key, int):
            text += f" #{key + 1}"
        else:
            bare = key.isascii() and key.replace("-", "_").isidentifier() and len(key) <= 80
            text += f".{key if bare else shown(key)}"
    return text.removeprefix(".")


def shown(value: object) -> str:
    """A value for a message: short, one line, nothing that a terminal would obey."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (Mapping, list, tuple)):
        return "a table" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and value.bit_length() > 63:
        return "an integer beyond 64 bits"
    text = repr(value[:80] if isinstance(value, str) else value)
    return text if len(text) <= 80 else f"{text[:76]}..."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or the known ones when they are few."""
    from difflib import get_close_matches

    names = sorted(filter(str.isprintable, known))
    near = get_close_matches(name[:80].lower(), names, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(names)}" if 0 < len(names) <= 24 else ""
