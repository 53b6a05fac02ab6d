"""What installed distributions offer to tegmen, read from their metadata; nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

PREFIX: Final = "tegmen."


@frozen
class Entry:
    """One entry point. `group` is without `tegmen.`; `problem` says why it cannot be used."""

    group: str
    name: str
    value: str
    distribution: str
    version: str
    problem: str | None = None

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()

    @property
    def module(self) -> str:
        return self.value.partition("[")[0].strip()


def installed() -> list[Entry]:
    """Every entry point for tegmen; of one distribution met twice on the path, the first."""
    from importlib.metadata import distributions

    entries: dict[tuple[str, str, str, str], Entry] = {}
    for distribution in distributions():
        for entry in _entries(distribution):
            key = (entry.group, entry.name, entry.value, normalised(entry.distribution))
            entries.setdefault(key, entry)
    return list(entries.values())


def normalised(name: str) -> str:
    """The name of a distribution as two spellings of it compare equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def extra_hint(distribution: str, name: str, module: str = "") -> str:
    """How to install the extra of `distribution` that brings `module`, or is called `name`."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        about = metadata(distribution)
    except (PackageNotFoundError, ValueError):
        return ""
    extras = about.get_all("Provides-Extra") or []
    bringing = _extras_that_bring(module, about.get_all("Requires-Dist") or [])
    for extra in (*bringing, name):
        if extra in extras:
            return f'run: pip install "{about["Name"]}[{extra}]"'
    return ""


_REQUIREMENT: Final = re.compile(
    r"([A-Za-z0-9._-]+).*\bextra\s*==\s*[\"']([^\"']+)[\"']", re.DOTALL
)


def _extras_that_bring(module: str, requirements: list[str]) -> Iterator[str]:
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement)
        if match and normalised(match[1]) == normalised(module):
            yield match[2]


def _entries(distribution: Distribution) -> Iterator[Entry]:
    """Nothing that a damaged distribution holds is raised: others have to be found."""
    try:
        if PREFIX not in (distribution.read_text("entry_points.txt") or ""):
            return
        about = distribution.metadata
        name, version = about["Name"] or "(unnamed)", about["Version"] or ""
        for entry in distribution.entry_points:
            if entry.group.startswith(PREFIX):
                yield _entry(entry, name, version)
    except Exception as error:  # noqa: BLE001  # its metadata can be wrong in any way
        folder = getattr(distribution, "_path", "(unnamed)")
        yield Entry("", "", "", str(folder), "", f"its metadata cannot be read: {error}")


def _entry(entry: EntryPoint, distribution: str, version: str) -> Entry:
    group = entry.group.removeprefix(PREFIX)
    return Entry(group, entry.name, entry.value, distribution, version, _wrong(entry))


_MODULE: Final = re.compile(r"[\w.]+\s*(\[.*\])?")


def _wrong(entry: EntryPoint) -> str | None:
    if _MODULE.fullmatch(entry.value):
        return None
    return f"its entry point must name a module, and says {entry.value!r}"
