"""What the configuration says about a file key store."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from tegmen.passphrase import PassphraseOptions


@frozen
class FileOptions(PassphraseOptions):
    """The table of a key store of kind `file`; name exactly one way to the root secret.

    Relative paths start from the folder of the configuration.

    Attributes:
        path: the store's own folder; nothing else belongs there.
        key_file: file of 32 random bytes, mode 0600, best kept on another medium.
    """

    path: Path
    key_file: Path | None = None
