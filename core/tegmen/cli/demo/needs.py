"""What the demo needs beyond what sealing needs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from tegmen.errors import PluginNotFound

PACKAGES: Final = {"pydicom": "pydicom", "numpy": "numpy", "PIL": "pillow"}
"""Modules, and the packages that bring them."""


def check() -> None:
    """Raises PluginNotFound if a package is missing."""
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            raise missing_package(package)


def missing_package(package: str) -> PluginNotFound:
    """What to raise when `package` is not installed."""
    return PluginNotFound(
        f"the demo needs the package {package}", hint='run: pip install "tegmen[demo]"'
    )
