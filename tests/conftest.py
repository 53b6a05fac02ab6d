"""What every test may ask for: external tools, and pytest inside pytest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# Each is a distribution of its own, with an environment of its own in tox.ini.
collect_ignore = ["acme-rot", "slice"]

# A busy machine is not a failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def requires_tool() -> Callable[[str], str]:
    """The path of a command; without it the test is skipped, or fails where CI says so."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None and os.environ.get("TEGMEN_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not installed, and TEGMEN_REQUIRE_TOOLS=1 allows no skip")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def is_root() -> bool:
    """Whether permissions do not bind this process."""
    return os.geteuid() == 0
