"""The hooks that a plugin implements; each returns what it offers, and does nothing else.

A plugin is a module with functions of these names, marked with `@tegmen.hookimpl`, and an
entry point for each name it offers, in the group that the hook names below.
"""

from __future__ import annotations

from collections.abc import Sequence

import click
import pluggy

from tegmen.interfaces import AuditSink, Carrier, Cipher, KeyStore, Offer, Source

PROJECT = "tegmen"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tegmen_ciphers() -> Sequence[Offer[Cipher]]:  # type: ignore[empty-body]  # a specification
    """Ciphers; entry points in the group `tegmen.ciphers`."""


@hookspec
def tegmen_keystores() -> Sequence[Offer[KeyStore]]:  # type: ignore[empty-body]
    """Key stores; entry points in the group `tegmen.keystores`."""


@hookspec
def tegmen_sources() -> Sequence[Offer[Source]]:  # type: ignore[empty-body]
    """Sources; entry points in the group `tegmen.sources`."""


@hookspec
def tegmen_carriers() -> Sequence[Offer[Carrier]]:  # type: ignore[empty-body]
    """Carriers; entry points in the group `tegmen.carriers`."""


@hookspec
def tegmen_audit_sinks() -> Sequence[Offer[AuditSink]]:  # type: ignore[empty-body]
    """Audit sinks; entry points in the group `tegmen.audit_sinks`."""


@hookspec
def tegmen_commands() -> Sequence[Offer[click.Command]]:  # type: ignore[empty-body]
    """Commands under `tegmen`; entry points in the group `tegmen.commands`."""
