"""A DICOM object that any PACS takes and any viewer shows as noise, and in it the sealed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from tegmen.errors import FormatError, NotSealed, TooLarge
from tegmen.files import JoinedReader
from tegmen.interfaces import Item, Plan, Reader, SealedStream, Sink, TagPlacement
from tegmen_dicom import cms, encode, witness
from tegmen_dicom.clear import SOP_CLASS, SOP_INSTANCE, clear_elements, uid_in
from tegmen_dicom.frames import native_geometry
from tegmen_dicom.options import DicomOptions
from tegmen_dicom.pixels import Image, image_for
from tegmen_dicom.rules import Rules, rules_for
from tegmen_dicom.source import Detail
from tegmen_dicom.survey import Survey, plausible, survey
from tegmen_dicom.walk import IMPLICIT, Malformed
from tegmen_dicom.witness import ENCRYPTED_ATTRIBUTES

ENCRYPTED_TRANSFER_SYNTAX, ENCRYPTED_CONTENT = 0x04000510, 0x04000520
MAX_IN_ENVELOPE = 0xF0000000
"""Bytes of parts in Encrypted Content; the rest of 4 GiB is for the head of the stream."""


@frozen
class Layout:
    """A sealed object before anything is encrypted.

    Attributes:
        before: all that stands before the envelope, preamble and file meta included.
        after: elements between the envelope and pixel data.
        first: the first part that lies in pixel data, or one after the last.
        image: pixel data, or None for an object without.
    """

    before: bytes
    after: bytes
    first: int
    image: Image | None


@frozen
class DicomCarrier:
    """Same SOP class and study tree, the clear attributes, ciphertext as native pixels.

    The envelope is the one recipient of a CMS message in the only item of the Encrypted
    Attributes Sequence. What is not image is there too; frames are in pixel data, each in a
    native frame of its own. An object without pixel data is in the envelope as a whole.
    """

    options: DicomOptions = DicomOptions()
    kind: str = field(default="dicom", init=False)
    suffix: str = field(default="", init=False)
    tag_placement: TagPlacement = field(default="table", init=False)
    _rules: Rules = field(init=False, repr=False)

    @_rules.default
    def _make_rules(self) -> Rules:
        return rules_for(self.options)

    def detects(self, reader: Reader, /) -> bool:
        return plausible(reader)

    def accepts(self, item: Item, /) -> str | None:
        if isinstance(item.detail, Detail):
            return None
        return f"it holds DICOM objects only, and this is a {item.source}"

    def plan(self, item: Item, /) -> Plan:
        detail: Detail = item.detail
        lengths = [part.length for part in item.parts]
        found = clear_elements(self._rules, detail.survey)
        image = None
        first = 1 + len(lengths)
        if detail.survey.is_image:
            first = 2 if detail.pixels.stretches else 1
            image = image_for(detail.survey, detail.pixels, lengths[first - 1 :])
            found |= image.elements
            lengths[first - 1 :] = [image.frame] * image.count
        if sum(lengths[: first - 1]) > MAX_IN_ENVELOPE:
            raise TooLarge("the attributes alone are nearly 4 GiB", hint="choose the carrier tgm")
        elements = {tag: found[tag] for tag in sorted(found)}
        return Plan(witness.note_of(elements), lengths, _layout(elements, first, image))

    def pack(self, plan: Plan, sealed: SealedStream, sink: Sink, /) -> None:
        layout: Layout = plan.detail
        first, image = layout.first, layout.image
        begin, end = _envelope(sealed.head_size + sealed.size(1, first))
        sink.write(layout.before + begin)
        sealed.put_head(sink)
        sealed.put_parts(sink, 1, first)
        if image is None:
            sink.write(end + layout.after)
            return
        padding = image.length % 2
        pixels = encode.header(image.tag, image.vr, image.length + padding)
        sink.write(end + layout.after + pixels)
        sealed.put_parts(sink, first, sealed.part_count + 1)
        if padding:
            sink.write(b"\0")

    def unpack(self, reader: Reader, /) -> Reader:
        if not plausible(reader):
            raise NotSealed("not a DICOM file")
        found = survey(reader)
        slot = _slot(found)
        if slot is None:
            raise NotSealed("this DICOM file holds no sealed object", hint="it may be the original")
        extents = [(reader, *slot)]
        _check_encoding(found)
        if found.pixels is not None:
            extents.append((reader, found.pixels[3], _pixel_length(found)))
        return JoinedReader(extents)

    def changed(self, reader: Reader, note: bytes, /) -> Sequence[str]:
        return witness.changed(survey(reader), note)


# --------------------------------------------------------------------------- packing


def _layout(elements: Mapping[int, bytes], first: int, image: Image | None) -> Layout:
    head = encode.file_head(uid_in(elements, SOP_CLASS), uid_in(elements, SOP_INSTANCE))
    before = [element for tag, element in elements.items() if tag < ENCRYPTED_ATTRIBUTES]
    after = [element for tag, element in elements.items() if tag > ENCRYPTED_ATTRIBUTES]
    return Layout(b"".join((head, *before)), b"".join(after), first, image)


def _envelope(octets: int) -> tuple[bytes, bytes]:
    """The Encrypted Attributes Sequence (PS3.3, C.12.1.1.4) around that many octets."""
    prefix, suffix = cms.around(octets)
    if (len(prefix) + octets + len(suffix)) % 2:
        suffix += b"\0"
    length = len(prefix) + octets + len(suffix)
    syntax = encode.text(ENCRYPTED_TRANSFER_SYNTAX, b"UI", encode.TRANSFER_SYNTAX_UID)
    content = encode.header(ENCRYPTED_CONTENT, b"OB", length)
    inside = len(syntax) + len(content) + length
    sequence = encode.header(ENCRYPTED_ATTRIBUTES, b"SQ", inside + 8)
    return b"".join((sequence, encode.item(inside), syntax, content, prefix)), suffix


# --------------------------------------------------------------------------- unpacking


def _slot(found: Survey) -> tuple[int, int] | None:
    """Where the head of the sealed stream is; other programs' items are passed over."""
    element = found.elements.get(ENCRYPTED_ATTRIBUTES)
    if element is None:
        return None
    encoding = IMPLICIT if element[1] == b"UN" else found.encoding
    try:
        for begin, stop in found.walker.items(element[3], element[4], encoding):
            for tag, _, _, value, end in found.walker.elements(begin, stop, encoding, 1):
                slot = cms.find(found.walker, value, end) if tag == ENCRYPTED_CONTENT else None
                if slot is not None:
                    return slot
    except Malformed as error:
        raise FormatError(f"the Encrypted Attributes Sequence is damaged: {error}") from None
    return None


def _check_encoding(found: Survey) -> None:
    """Refuse what a hop made of the object and has to be undone first."""
    if found.problem:
        raise FormatError(f"the file is damaged or cut: {found.problem}", hint="fetch it again")
    if found.encapsulated:
        raise FormatError(
            f"its pixel data was compressed on the way (transfer syntax {found.transfer_syntax})",
            hint="decode it to a native transfer syntax first, for instance with gdcmconv --raw",
        )
    if found.deflated or found.encoding.big:
        raise FormatError(
            f"it was converted to transfer syntax {found.transfer_syntax} on the way",
            hint="convert it back first, for instance with dcmconv +te",
        )


def _pixel_length(found: Survey) -> int:
    """Bytes of pixel data without the padding at their end."""
    try:
        bits, count = native_geometry(found)
    except Malformed as error:
        raise FormatError(f"the pixel data is damaged or cut: {error}") from None
    return (bits * count + 7) // 8
