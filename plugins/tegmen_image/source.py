"""Any file at all, protected as one part."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from mimetypes import MimeTypes

from attrs import field, frozen

from tegmen.errors import FormatError
from tegmen.interfaces import Item, OpenedParts, Part, Reader, Sink

UNKNOWN = "application/octet-stream"


def _media_types() -> Mapping[str, str]:
    """Python's own table, so that a rule means the same on every machine."""
    return MimeTypes().types_map[True]


@frozen
class FileSource:
    """Takes every file; what it finds out comes from the name alone."""

    kind: str = field(default="file", init=False)
    _media_types: Mapping[str, str] = field(factory=_media_types, init=False, repr=False)

    def detects(self, _reader: Reader, _name: str, /) -> bool:
        return True

    def load(self, reader: Reader, name: str, /) -> Item:
        extension = os.path.splitext(name)[1].lower()
        media_type = self._media_types.get(extension, UNKNOWN)
        return Item(
            source=self.kind,
            name=name,
            media_type=media_type,
            attributes={"Extension": extension, "MediaType": media_type},
            parts=[Part("data", reader.size, reader)],
        )

    def restore(self, note: bytes, parts: OpenedParts, sink: Sink, /) -> None:
        if note or len(parts.lengths) != 1:
            raise FormatError(
                f"a file is one part without a note; here are {len(parts.lengths)} parts "
                f"and a note of {len(note)} bytes"
            )
        parts.copy(0, sink)
