"""What the configuration says about a file key store."""

from __future__ import annotations

from attrs import frozen


@frozen
class FileOptions:
    """The table of a key store of kind `file`; name exactly one way to the root secret.

    Relative paths start from the folder of the configuration, and `~` is the user's home.

    Attributes:
        path: the store's own folder; nothing else belongs there.
        key_file: file of 32 random bytes, mode 0600, best kept on another medium.
        passphrase_file: file whose first line is the passphrase, mode 0600.
        passphrase_env: name of the environment variable that holds the passphrase.
        prompt: ask for the passphrase on the terminal.
    """

    path: str
    key_file: str | None = None
    passphrase_file: str | None = None
    passphrase_env: str | None = None
    prompt: bool = False
