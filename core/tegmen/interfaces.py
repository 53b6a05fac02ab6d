"""What the core and its plugins say to each other: interfaces and value types, no logic.

Three things are pluggable: a Cipher closes one segment, a KeyStore closes a data key, a
Container takes an object apart (Source) or holds the sealed one (Carrier). Everything a
plugin may do beyond the minimum is an interface of its own, recognised by isinstance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from attrs import frozen

T_co = TypeVar("T_co", covariant=True)

Attributes = Mapping[str, str]
"""Public facts for the policy. DICOM facts are named by keyword (`Modality`)."""

Buffer = bytes | bytearray | memoryview

Tier = Literal["standard", "legacy", "research"]


# --------------------------------------------------------------------------- bytes in and out


@runtime_checkable
class Reader(Protocol):
    """Bytes at rest, addressed by offset."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def view(self, offset: int, length: int, /) -> memoryview:
        """Exactly `length` bytes from `offset`, valid until the next call.

        Raises:
            InputError: fewer bytes are there, or they cannot be read.
        """


@runtime_checkable
class Sink(Protocol):
    """Where output goes, written front to back, with memory to write into directly."""

    def room(self, size: int, /) -> memoryview:
        """Exactly `size` writable bytes for what comes next; their content is undefined.

        Valid until the next call of any method. Nothing is output before `advance`.
        """

    def advance(self, used: int, /) -> None:
        """The first `used` bytes of the last `room` are output.

        Raises:
            OutputError: the disk is full, the target too small or gone.
        """

    def write(self, data: Buffer, /) -> None:
        """Output `data`. Raises OutputError as `advance` does."""

    def tell(self) -> int:
        """How many bytes were output so far."""

    @property
    def patchable(self) -> bool:
        """Whether `patch` works."""

    def patch(self, offset: int, data: Buffer, /) -> None:
        """Overwrite bytes that were output before. Raises OutputError."""


# --------------------------------------------------------------------------- ciphers


@frozen
class CipherInfo:
    """What a cipher declares about itself; `name` never changes its meaning.

    Attributes:
        name: registered name, for instance `aes-256-gcm`.
        tier: `standard` (fit for patients' data), `legacy` or `research` (a rule must opt in).
        key_size: bytes of key that the core derives for it.
        nonce_size: bytes of nonce; the core's 12 bytes, followed by zeros if it is longer.
        tag_size: bytes of tag that it appends; 0 for one that does not authenticate, which
            then gets a MAC from the core.
        segmenting: `stream`, any segment size; `whole-part`, one segment is one part.
        max_part: most bytes in a part, or None.
        memory_factor: most working memory for a segment, as a multiple of its bytes.
        approvals: regimes that approve it: `FIPS 140`, `GB`, `ISO`, `browser`.
        source: where the algorithm is specified.
        worth: one sentence on what it protects against, for people.
    """

    name: str
    tier: Tier
    key_size: int
    nonce_size: int
    tag_size: int
    segmenting: Literal["stream", "whole-part"] = "stream"
    max_part: int | None = None
    memory_factor: float = 1.0
    approvals: tuple[str, ...] = ()
    source: str = ""
    worth: str = ""


class SegmentCipher(Protocol):
    """A cipher under one key; `cryptography`'s AEAD objects are of this shape.

    Implementations may be called from several threads at once.
    """

    def encrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        """Encrypt one segment.

        Args:
            nonce: `nonce_size` bytes, never repeated under one key.
            data: plaintext, n bytes.
            associated_data: authenticated, not encrypted. Ciphers without a tag ignore it.
            buf: writable, exactly `ciphertext_length(n) + tag_size` bytes: ciphertext, tag.
                May not overlap `data`.

        Returns:
            How many bytes were written, the size of `buf`.
        """

    def decrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer, /
    ) -> int:
        """Decrypt one segment; `data` is ciphertext and tag, `buf` exactly n bytes.

        Raises:
            cryptography.exceptions.InvalidTag: it is not what was encrypted. What is then in
                `buf` is undefined; the core wipes it.
        """


class Cipher(Protocol):
    """A segment cipher: sees a derived key, a nonce and bytes; never a data key or a file."""

    @property
    def info(self) -> CipherInfo:
        """What it declares."""

    def ciphertext_length(self, length: int, /) -> int:
        """Bytes of ciphertext, without the tag, for `length` bytes of plaintext: exact."""

    def start(self, key: bytes, /) -> SegmentCipher:
        """The cipher under `key`, which has `info.key_size` bytes."""


# --------------------------------------------------------------------------- key stores

KeyState = Literal["enabled", "disabled", "destroyed"]


@frozen
class KeyInfo:
    """What a store tells about a key; never a secret.

    Attributes:
        key_id: the key's name in its store.
        version: the version that `wrap` uses now, as the store spells it.
        state: of that version.
        algorithm: how it wraps, for instance `AES-256-GCM`.
        check_kind: how `check_value` is made (docs/format.md, key-check values), or `none`.
        check_value: tells two keys of one name apart. A hint, never a proof.
        created: RFC 3339 in UTC, or empty when the store does not say.
        versions: every version with its state, oldest first.
    """

    key_id: str
    version: str
    state: KeyState
    algorithm: str
    check_kind: str
    check_value: bytes
    created: str = ""
    versions: tuple[tuple[str, KeyState], ...] = ()


@frozen
class Wrapped:
    """A data key, closed by a store. `blob` is at most 3 KiB."""

    key_id: str
    version: str
    check_kind: str
    check_value: bytes
    algorithm: str
    blob: bytes


@runtime_checkable
class KeyStore(Protocol):
    """Closes and opens data keys. Safe to call from several threads.

    All failures of `unwrap` that come from the blob look alike to the caller (WrongKey).
    """

    @property
    def kind(self) -> str:
        """The registered kind, for instance `file`."""

    def describe(self, key_id: str, /) -> KeyInfo:
        """Raises KeyNotFound, AccessDenied, StoreUnavailable or StoreDamaged."""

    def wrap(self, key_id: str, data_key: bytes, context: bytes, /) -> Wrapped:
        """Close `data_key` (32 bytes) under the current version of `key_id`.

        Args:
            context: the object key id (16 bytes), bound as associated data.

        Raises:
            KeyNotFound, KeyDisabled, KeyDestroyed, AccessDenied, StoreUnavailable.
        """

    def unwrap(self, wrapped: Wrapped, context: bytes, /) -> bytes:
        """The data key that `wrap` was given with the same `context`.

        Raises:
            WrongKey: the key of that name is another key, or the blob fails its check.
            KeyNotFound, KeyDisabled, KeyDestroyed, AccessDenied, StoreUnavailable.
            CannotUnwrap: this store only wraps; the message names who can open.
        """


@runtime_checkable
class Prober(Protocol):
    """A store that can say whether it would work."""

    def probe(self) -> str | None:
        """None when it is reachable and usable, else the reason."""


@runtime_checkable
class Lister(Protocol):
    """A store that can name its keys."""

    def list_keys(self) -> Sequence[KeyInfo]:
        """Every key, by name. Raises AccessDenied or StoreUnavailable."""


@runtime_checkable
class Rotator(Protocol):
    """A store whose keys can be made, rotated and disabled from here."""

    def create(self, key_id: str, /) -> KeyInfo:
        """Make a key. Raises KeyExists."""

    def rotate(self, key_id: str, /) -> KeyInfo:
        """Make a new version, used by `wrap` from now on; old ones still unwrap."""

    def set_state(self, key_id: str, version: str | None, enabled: bool, /) -> KeyInfo:
        """Enable or disable one version, or all when `version` is None."""


@runtime_checkable
class Destroyer(Protocol):
    """A store that can destroy a key for good."""

    def destroy(self, key_id: str, check_value: bytes, /) -> KeyInfo:
        """Destroy all versions. `check_value` (the current one) proves it is the key meant.

        Raises:
            WrongKey: the check value is another key's.
        """


@runtime_checkable
class Archiver(Protocol):
    """A store whose keys can be backed up to, and restored from, one file."""

    def backup(self, target: Path, /) -> Sequence[str]:
        """Write every key, still protected, to `target`; the names it holds."""

    def restore(self, source: Path, /) -> Sequence[str]:
        """Put back the keys of `source` that are missing; the names that were added.

        Raises:
            KeyExists: a key of the same name but another value is here; nothing was changed.
        """


@runtime_checkable
class Initialiser(Protocol):
    """A store that can be made from here, where its options say."""

    def initialise(self) -> None:
        """Make the store, with no key in it, and the secret that protects it if that is missing.

        Raises:
            KeyExists: there is a store already; nothing was changed.
            InsecureConfig, AccessDenied, StoreUnavailable, OutputError: it cannot be made.
        """


@runtime_checkable
class Generator(Protocol):
    """A store that draws and wraps a data key in one call."""

    def generate(self, key_id: str, context: bytes, /) -> tuple[bytes, Wrapped]:
        """A fresh 32-byte data key, and the same wrapped. Raises as `wrap`."""


@runtime_checkable
class NativeRewrap(Protocol):
    """A store that changes the wrapping key without showing the data key."""

    def rewrap(self, wrapped: Wrapped, key_id: str, context: bytes, /) -> Wrapped:
        """The same data key under the current version of `key_id`. Raises as both."""


@runtime_checkable
class Prf(Protocol):
    """A store with a keyed function, for secrets that outlive every data key."""

    def prf(self, key_id: str, data: bytes, /) -> bytes:
        """32 bytes that depend on the key and `data` alone."""


@runtime_checkable
class Signer(Protocol):
    """A store that signs."""

    def sign(self, key_id: str, data: bytes, /) -> bytes:
        """A signature over `data`."""


# --------------------------------------------------------------------------- containers


@frozen
class Part:
    """One piece of a source object: protected as a unit, read lazily.

    Attributes:
        kind: `frame` (a viewer asks for it alone), `header`, or `data`.
        length: bytes.
        reader: where they are.
        offset: of the first one in `reader`.
    """

    kind: Literal["header", "frame", "data"]
    length: int
    reader: Reader
    offset: int = 0


@frozen
class Item:
    """A source object, taken apart.

    Attributes:
        source: kind of the source that made it.
        name: base name, restored on opening; stored encrypted.
        media_type: RFC 6838, stored encrypted.
        attributes: found in the object, for the policy; not stored.
        parts: what to protect, in order; at least one.
        note: what `Source.restore` needs beside the parts; stored encrypted.
        detail: the source's own parsed form, for the carrier of the same plugin.
    """

    source: str
    name: str
    media_type: str
    attributes: Attributes
    parts: Sequence[Part]
    note: bytes = b""
    detail: Any = None


class OpenedParts(Protocol):
    """The decrypted parts of an item; nothing leaves it before its tag was verified."""

    @property
    def lengths(self) -> Sequence[int]:
        """Bytes of each part, padding removed."""

    def copy(self, index: int, sink: Sink, /) -> None:
        """Write part `index` (0 is the item's first) to `sink`, segment by segment."""

    def read(self, index: int, /) -> bytes:
        """Part `index`, whole, in memory."""


class Source(Protocol):
    """Takes objects of one kind apart, and puts them together again."""

    @property
    def kind(self) -> str:
        """Registered kind, recorded in the sealed object."""

    def detects(self, reader: Reader, name: str, /) -> bool:
        """Whether this input is of its kind. Cheap, raises nothing for foreign bytes."""

    def load(self, reader: Reader, name: str, /) -> Item:
        """Take it apart; no byte of `reader` may be missing from parts and note.

        Raises:
            InputError: it is damaged, or lies about its lengths.
        """

    def restore(self, note: bytes, parts: OpenedParts, sink: Sink, /) -> None:
        """Write the original object to `sink`, bit for bit.

        Raises:
            FormatError: `note` does not fit the parts.
        """


TagPlacement = Literal["inline", "table"]


@frozen
class Plan:
    """How a carrier will hold an item: made before anything is encrypted.

    Attributes:
        note: what the reader of the carrier needs, stored encrypted in the manifest.
        stored_lengths: bytes of each part after padding with zeros inside the encryption;
            None leaves every part as long as it is, frames padded to the longest.
        detail: the carrier's own, handed back to `pack`.
    """

    note: bytes = b""
    stored_lengths: Sequence[int] | None = None
    detail: Any = None


class SealedStream(Protocol):
    """The sealed object as one stream of bytes, which a carrier cuts up and places.

    The stream is: head (prelude to tag table), then the parts. Parts count from 1; part 0,
    the manifest, belongs to the head. Everything must be put once, in order.
    """

    @property
    def head_size(self) -> int:
        """Bytes of the head."""

    @property
    def part_count(self) -> int:
        """How many parts there are, part 0 not counted."""

    def size(self, first: int, stop: int, /) -> int:
        """Bytes of parts `first` to `stop - 1` as stored."""

    def put_head(self, sink: Sink, /) -> None:
        """Write the head. The sealer patches the tag table later."""

    def put_parts(self, sink: Sink, first: int, stop: int, /) -> None:
        """Encrypt parts `first` to `stop - 1` into `sink`."""


class Carrier(Protocol):
    """Holds a sealed object in a form that ordinary systems can carry."""

    @property
    def kind(self) -> str:
        """Registered kind, recorded and authenticated in the sealed object."""

    @property
    def suffix(self) -> str:
        """What the sealed file's name ends in; empty keeps the source's name."""

    @property
    def tag_placement(self) -> TagPlacement:
        """`inline`: each tag follows its segment. `table`: the body has no spare bytes."""

    def detects(self, reader: Reader, /) -> bool:
        """Whether a sealed object of this kind may be in it. Cheap, raises nothing."""

    def accepts(self, item: Item, /) -> str | None:
        """None when it can hold the item, else the reason."""

    def plan(self, item: Item, /) -> Plan:
        """Decide the layout. Raises TooLarge."""

    def pack(self, plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        """Write the carrier, putting the whole of `sealed` where it belongs."""

    def unpack(self, reader: Reader, /) -> Reader:
        """The sealed stream as `pack` was given it, without reading the body.

        Raises:
            NotSealed: there is none.
            FormatError: there is one, but damaged or cut.
        """


@runtime_checkable
class Witness(Protocol):
    """A carrier that shows part of the object in clear, and can tell if it was changed."""

    def changed(self, reader: Reader, note: bytes, /) -> Sequence[str]:
        """Names, never values, of what is in clear in `reader` and is not as it was sealed.

        Args:
            note: the plan's, verified; not empty.

        Raises:
            FormatError: `note` is not one that this carrier writes.
        """


# --------------------------------------------------------------------------- audit


@frozen
class Event:
    """Something that happened to an object or a key; never a secret, never PHI.

    Attributes:
        action: `seal`, `open`, `verify`, `refuse`, `key.create`, ...
        phase: `intent`, before plaintext is released; `done` or `failed` after.
        object_id: hexadecimal H of the sealed object, or empty.
        keys: `store/key@version` of every slot used.
        profile: profile id, or empty.
        rule: the rule that chose it, or empty.
        actor: who, as the caller asserts it.
        reason: error class for `failed`, else empty.
    """

    action: str
    phase: Literal["intent", "done", "failed"]
    object_id: str = ""
    keys: tuple[str, ...] = ()
    profile: str = ""
    rule: str = ""
    actor: str = ""
    reason: str = ""


class AuditSink(Protocol):
    """Is told what happens, and may veto an intent."""

    def emit(self, event: Event, /) -> None:
        """Record it. Raising AuditRefused on an `intent` stops the operation."""


# --------------------------------------------------------------------------- offers


@frozen
class Offer(Generic[T_co]):
    """One named thing that a plugin supplies through a hook.

    Attributes:
        name: the name that profiles use; also the name of the entry point.
        make: called with the options and the folder that relative paths start from.
        options: attrs class that its table in the configuration is read into, strictly;
            None takes no options, and `make` gets None.
        needs: what must be installed or running, for `tegmen plugins`.
    """

    name: str
    make: Callable[[Any, Path], T_co]
    options: type[Any] | None = None
    needs: str = ""
