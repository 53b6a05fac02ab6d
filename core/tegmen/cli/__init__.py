"""The `tegmen` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process, and exit."""
    from tegmen.cli.root import root

    root()
