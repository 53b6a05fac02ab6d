"""The exceptions that tegmen raises.

TegmenError                     exit code 1
├── ConfigError                 2  the configuration or a profile is not valid
│   └── InsecureConfig          2  others may write it
├── PolicyRefused               2  a rule, the policy or its floor says no
├── ContextMissing              2  the object needs context that was not given
├── ContextInvalid              2  context of a kind that nothing can be bound to
├── PluginError                 2  a named plugin cannot be used
│   ├── PluginNotFound          2
│   ├── PluginConflict          2  two distributions supply one name
│   ├── PluginNotAllowed        2  outside the allow-list
│   └── PluginBroken            2  it failed to load, or is not what it says
├── FileError                   3
│   ├── InputError              3  an input cannot be read or is not what it says
│   │   ├── NotSealed           3  no sealed object in it
│   │   ├── UnknownVersion      3  sealed by a newer tegmen
│   │   └── TooLarge            3  more than the cipher, carrier or format can take
│   └── OutputError             3  an output cannot be written
│       └── OutputExists        3  and was not to be overwritten
├── KeyStoreError               4
│   ├── KeyNotFound             4
│   ├── KeyDisabled             4
│   ├── KeyDestroyed            4
│   ├── KeyExists               4
│   ├── WrongKey                4  same name, other key; or a blob of another key
│   ├── AccessDenied            4
│   ├── StoreUnavailable        4
│   ├── StoreDamaged            4
│   └── CannotUnwrap            4  no slot can be opened from here
├── IntegrityError              5  what was read is not what was sealed
│   ├── FormatError             5  a zone is not well-formed or truncated
│   ├── HeaderAltered           5
│   ├── ContextMismatch         5
│   └── SegmentAltered          5  a part of the content fails its tag
└── AuditRefused                1  an audit sink vetoed, or nothing could be written

Every message says what failed, with what value; `hint` says what to do next.
Neither ever holds a key, a passphrase or patient data.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TegmenError(Exception):
    """Base of everything that tegmen raises on purpose.

    Attributes:
        hint: what to do next, one sentence; empty when there is nothing to say.
        exit_code: what the command line returns for it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(TegmenError):
    """The configuration or a profile is not valid."""

    exit_code = 2


class InsecureConfig(ConfigError):
    """The configuration, or a folder that holds keys, may be written by others."""


class PolicyRefused(TegmenError):
    """A rule, the policy or its floor does not allow what was asked.

    Attributes:
        steps: the rules that were tried, `tegmen.policy.Step`; empty when none was asked.
    """

    exit_code = 2
    steps: tuple[Any, ...] = ()


class ContextMissing(TegmenError):
    """The object was sealed under context that the caller did not give."""

    exit_code = 2


class ContextInvalid(TegmenError):
    """A context name or value is of a kind that no object can be bound to."""

    exit_code = 2


class PluginError(TegmenError):
    """A named plugin cannot be used."""

    exit_code = 2


class PluginNotFound(PluginError):
    """No installed distribution supplies that name."""


class PluginConflict(PluginError):
    """Two installed distributions supply one name."""


class PluginNotAllowed(PluginError):
    """The plugin is installed, but the configuration's allow-list leaves it out."""


class PluginBroken(PluginError):
    """The plugin failed to load, or does not supply what its metadata says."""


class FileError(TegmenError):
    """An input or an output file."""

    exit_code = 3


class InputError(FileError):
    """An input cannot be read, or is not what it says it is."""


class NotSealed(InputError):
    """There is no sealed object in this input."""


class UnknownVersion(InputError):
    """The object was sealed by a version of the format that this release cannot read."""


class TooLarge(InputError):
    """More than the cipher, the carrier or the format can take."""


class OutputError(FileError):
    """An output cannot be written."""


class OutputExists(OutputError):
    """The output exists and was not to be overwritten."""


class KeyStoreError(TegmenError):
    """A key was refused, or the store that holds it could not be used."""

    exit_code = 4


class KeyNotFound(KeyStoreError):
    """The store holds no key, or no version, of that name."""


class KeyDisabled(KeyStoreError):
    """The key is disabled; enabling it makes it usable again."""


class KeyDestroyed(KeyStoreError):
    """The key was destroyed; nothing wrapped only under it can be opened again."""


class KeyExists(KeyStoreError):
    """A key of that name exists already."""


class WrongKey(KeyStoreError):
    """A key of that name exists, but it is not the key that wrapped this."""


class AccessDenied(KeyStoreError):
    """The store refused the caller."""


class StoreUnavailable(KeyStoreError):
    """The store cannot be reached or read now; trying again may help."""


class StoreDamaged(KeyStoreError):
    """The store's own records fail their checks."""


class CannotUnwrap(KeyStoreError):
    """No slot of the object can be opened with the stores at hand."""


class IntegrityError(TegmenError):
    """What was read is not what was sealed."""

    exit_code = 5


class FormatError(IntegrityError):
    """A zone of the sealed object is truncated or not well-formed."""


class HeaderAltered(IntegrityError):
    """The header fails its check: altered, or closed under another data key."""


class ContextMismatch(IntegrityError):
    """The context given is not the context the object was sealed under."""


class SegmentAltered(IntegrityError):
    """A segment of the content fails its tag: altered, moved, or of another object."""


class AuditRefused(TegmenError):
    """An audit sink refused the operation, or a required record could not be written."""
