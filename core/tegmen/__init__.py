"""tegmen seals medical images: nobody without a key reads or alters them unnoticed, and whoever
holds one gets the original back bit for bit.

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
    )
    from tegmen.errors import (
        ConfigError as ConfigError,
    )
    from tegmen.errors import (
        ContextMismatch as ContextMismatch,
    )
    from tegmen.errors import (
        ContextMissing as ContextMissing,
    )
    from tegmen.errors import (
        InputError as InputError,
    )
    from tegmen.errors import (
        IntegrityError as IntegrityError,
    )
    from tegmen.errors import (
        KeyStoreError as KeyStoreError,
    )
    from tegmen.errors import (
        NotSealed as NotSealed,
    )
    from tegmen.errors import (
        OutputError as OutputError,
    )
    from tegmen.errors import (
        PluginError as PluginError,
    )
    from tegmen.errors import (
        PolicyRefused as PolicyRefused,
    )
    from tegmen.errors import (
        TegmenError as TegmenError,
    )
    from tegmen.errors import (
        WrongKey as WrongKey,
    )
    from tegmen.hooks import hookimpl as hookimpl
    from tegmen.policy import Decision as Decision
    from tegmen.profile import Config as Config
    from tegmen.registry import Allowed as Allowed
    from tegmen.registry import Registry as Registry
    from tegmen.sealer import (
        Inspection as Inspection,
    )
    from tegmen.sealer import (
        OpenObject as OpenObject,
    )
    from tegmen.sealer import (
        Receipt as Receipt,
    )
    from tegmen.sealer import (
        Sealer as Sealer,
    )

_ERRORS = (
    "AuditRefused ConfigError ContextMismatch ContextMissing InputError IntegrityError "
    "KeyStoreError NotSealed OutputError PluginError PolicyRefused TegmenError WrongKey"
)
_WHERE = {
    **{name: ("tegmen.errors", name) for name in _ERRORS.split()},
    **{name: ("tegmen.sealer", name) for name in ("Inspection", "OpenObject", "Receipt", "Sealer")},
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
