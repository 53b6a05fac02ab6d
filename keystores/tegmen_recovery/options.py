"""What the configuration says about a recovery key store."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen, validators

from tegmen.checks import KEY_ID
from tegmen.errors import ConfigError
from tegmen.passphrase import PassphraseOptions


@frozen
class RecoveryOptions(PassphraseOptions):
    """The table of a key store of kind `recovery`.

    Relative paths start from the folder of the configuration. A passphrase is that of the
    private key; there is none when it is not encrypted.

    Attributes:
        public_key: PEM file; it seals, so nobody else may write it.
        check_value: key-check value that the public key must have, in hexadecimal. Without it,
            a damaged public key file can go on sealing for a key that nobody has.
        private_key: PEM file, mode 0600, on the offline medium. Needed only to open.
        key_id: what recipients call the key.
    """

    public_key: Path
    check_value: str | None = field(
        default=None, validator=validators.optional(validators.matches_re("[0-9a-f]{64}"))
    )
    private_key: Path | None = None
    key_id: str = field(default="recovery", validator=validators.matches_re(KEY_ID))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.ways and self.private_key is None:
            raise ConfigError(
                "a passphrase means nothing without private-key",
                hint="name the private key too, or take the passphrase out",
            )
