"""What the configuration says about a recovery key store."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen, validators

from tegmen.checks import KEY_ID
from tegmen.errors import ConfigError


@frozen
class RecoveryOptions:
    """The table of a key store of kind `recovery`.

    Relative paths start from the folder of the configuration, and `~` is the user's home.
    Of the last three, at most one; none when the private key is not encrypted.

    Attributes:
        public_key: PEM file; it seals, so nobody else may write it.
        check_value: key-check value that the public key must have, in hexadecimal. Without it,
            a damaged public key file can go on sealing for a key that nobody has.
        private_key: PEM file, mode 0600, on the offline medium. Needed only to open.
        key_id: what recipients call the key.
        passphrase_file: file whose first line is the passphrase of the private key, mode 0600.
        passphrase_env: name of the environment variable that holds it.
        prompt: ask for it on the terminal.
    """

    public_key: Path
    check_value: str | None = field(
        default=None, validator=validators.optional(validators.matches_re("[0-9a-f]{64}"))
    )
    private_key: Path | None = None
    key_id: str = field(default="recovery", validator=validators.matches_re(KEY_ID))
    passphrase_file: Path | None = None
    passphrase_env: str | None = None
    prompt: bool = False

    def __attrs_post_init__(self) -> None:
        ways = [self.passphrase_file is not None, self.passphrase_env is not None, self.prompt]
        if sum(ways) > 1:
            raise ConfigError(
                f"{sum(ways)} ways to the passphrase of the recovery key, and at most 1 is used",
                hint="give one of passphrase-file, passphrase-env, prompt",
            )
        if any(ways) and self.private_key is None:
            raise ConfigError(
                "a passphrase means nothing without private-key",
                hint="name the private key too, or take the passphrase out",
            )
