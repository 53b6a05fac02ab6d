"""Seals medical images: without a key nobody reads them, or alters them unnoticed.

With one, the original comes back bit for bit.

    import tegmen

    sealer = tegmen.Sealer.from_file("tegmen.toml")
    receipt = sealer.seal("ct.dcm", "sealed/ct.dcm")
    sealer.open("sealed/ct.dcm", "opened/ct.dcm")

Everything public is listed here. Names are loaded when first used, so importing is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tegmen.audit import MemorySink as MemorySink
    from tegmen.errors import (
        AuditRefused as AuditRefused,
        ConfigError as ConfigError,
        ContextMismatch as ContextMismatch,
        ContextMissing as ContextMissing,
        InputError as InputError,
        IntegrityError as IntegrityError,
        KeyStoreError as KeyStoreError,
        NotSealed as NotSealed,
        OutputError as OutputError,
        PluginError as PluginError,
        PolicyRefused as PolicyRefused,
        TegmenError as TegmenError,
        WrongKey as WrongKey,
    )
    from tegmen.hooks import hookimpl as hookimpl
    from tegmen.policy import Decision as Decision
    from tegmen.profile import Config as Config
    from tegmen.receipts import Inspection as Inspection, Receipt as Receipt
    from tegmen.registry import Allowed as Allowed, Registry as Registry
    from tegmen.sealer import (
        OpenObject as OpenObject,
        Sealer as Sealer,
    )

_ERRORS = (
    "AuditRefused ConfigError ContextMismatch ContextMissing InputError IntegrityError "
    "KeyStoreError NotSealed OutputError PluginError PolicyRefused TegmenError WrongKey"
)
_WHERE = {
    **{name: ("tegmen.errors", name) for name in _ERRORS.split()},
    **{name: ("tegmen.sealer", name) for name in ("OpenObject", "Sealer")},
    **{name: ("tegmen.receipts", name) for name in ("Inspection", "Receipt")},
    "Allowed": ("tegmen.registry", "Allowed"),
    "Config": ("tegmen.profile", "Config"),
    "Decision": ("tegmen.policy", "Decision"),
    "MemorySink": ("tegmen.audit", "MemorySink"),
    "Registry": ("tegmen.registry", "Registry"),
    "hookimpl": ("tegmen.hooks", "hookimpl"),
}
__all__ = sorted(_WHERE)  # noqa: PLE0605  # the table above is the list


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tegmen' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
