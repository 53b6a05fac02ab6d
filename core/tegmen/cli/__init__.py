"""The `tegmen` command."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line of this process, and exit."""
    from tegmen.cli.root import root

    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may hold what its encoding has not
        sys.stdout.reconfigure(errors="backslashreplace")
    root()
