"""What a profile can say about sealed DICOM objects."""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen
class DicomOptions:
    """The table `[profiles.NAME.options.dicom]`.

    Attributes:
        clear: the set of attributes that stay readable, `clear.txt`: `technical` keeps an
            object as valid as it was; `minimal` keeps what filing and drawing need, and an
            object may then lack attributes that its kind must have.
        keep: keywords of further attributes that stay readable, for instance
            `StudyDescription`. Text, names and dates among them may identify the patient, and
            the object then no longer says that identity was removed.
        uids: `keep`: study, series, frame of reference and instance stay what they are, so
            that a sealed object takes its source's place. PS3.15 E.3.9 calls this the Retain
            UIDs Option; PS3.3 C.12.1.1.4 wants a new SOP Instance UID.
    """

    clear: Literal["technical", "minimal"] = "technical"
    keep: tuple[str, ...] = ()
    uids: Literal["keep"] = "keep"
