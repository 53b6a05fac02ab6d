"""Which attributes of a sealed object stay readable: `clear.txt`, and what a profile adds."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping

from attrs import frozen

from tegmen.errors import ConfigError
from tegmen.problem import did_you_mean
from tegmen_dicom import encode
from tegmen_dicom.options import DicomOptions
from tegmen_dicom.values import CODE, FORMS, Fits

METHOD = "tegmen: sealed; the original is encrypted in (0400,0500)"
PROFILE = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113110", "Retain UIDs Option"),
)
"""What was done, as PS3.16 CID 7050 codes it."""

_CODES = frozenset(b"LO SH UC".split())
_NUMBERS_AND_CODES = frozenset(b"AT CS DS FD FL IS OD OF OL OV SL SS SV UL US UV".split())


@frozen
class Row:
    """A line of `clear.txt`; of several VRs the first is used where a file names none."""

    tag: int
    vrs: tuple[bytes, ...]
    set: str
    action: str
    keyword: str
    value: str = ""


@frozen
class Rules:
    """What happens to each attribute; those without a rule are left out.

    Attributes:
        keep: for a tag that stays, the VRs that are right, and the form of its values.
        fixed: elements that stand in for those of the same tag.
        terms: elements by the values that may stay; the first stands in for all others.
        added: elements that every sealed object gets.
    """

    keep: Mapping[int, tuple[tuple[bytes, ...], Fits | None]]
    fixed: Mapping[int, bytes]
    terms: Mapping[int, Mapping[bytes, bytes]]
    added: Mapping[int, bytes]


def rules_for(options: DicomOptions) -> Rules:
    """The rules of a profile. Raises ConfigError for a keyword that cannot be kept."""
    rows = list(table())
    chosen = [row for row in rows if options.clear == "technical" or row.set == "minimal"]
    extra = [_extra(keyword, rows) for keyword in options.keep]
    keep = {row.tag: (row.vrs, _form(row)) for row in chosen if row.action == "keep"}
    keep |= {row.tag: (row.vrs, FORMS.get(row.vrs[0])) for row in extra}
    others = [row for row in chosen if row.tag not in keep]
    return Rules(
        keep,
        {row.tag: _element(row, row.value) for row in others if row.action in ("empty", "dummy")},
        {row.tag: _terms(row) for row in others if row.action == "terms"},
        _markers(not any(map(_may_identify, extra))),
    )


def _form(row: Row) -> Fits | None:
    return CODE if row.vrs[0] in _CODES else FORMS.get(row.vrs[0])


def _element(row: Row, value: str) -> bytes:
    return encode.text(row.tag, row.vrs[0], value)


def _terms(row: Row) -> Mapping[bytes, bytes]:
    return {term.encode(): _element(row, term) for term in row.value.split("|")}


def table() -> Iterator[Row]:
    """The rows of `clear.txt`."""
    lines = (pkgutil.get_data(__name__, "clear.txt") or b"").decode("ascii").splitlines()
    for line in lines:
        if not line.startswith("#"):
            tag, vrs, *rest = line.split(" ")
            yield Row(int(tag, 16), tuple(vrs.encode().split(b"|")), *rest)


def _extra(keyword: str, rows: list[Row]) -> Row:
    for row in rows:
        if row.keyword == keyword:
            return row
    from pydicom.datadict import dictionary_VR, keyword_dict

    tag = keyword_dict.get(keyword)
    if tag is None or not keyword:  # retired attributes have none
        raise ConfigError(
            f'keep: "{keyword}" is not a DICOM keyword', hint=did_you_mean(keyword, keyword_dict)
        )
    if tag >> 16 in (0x0000, 0x0002, 0x0400) or tag >> 16 >= 0x5000:
        raise ConfigError(f'keep: "{keyword}" cannot stay readable in a sealed object')
    vrs = tuple(dictionary_VR(tag).encode().split(b" or "))
    return Row(tag, vrs, "technical", "keep", keyword)


def _may_identify(row: Row) -> bool:
    return row.tag >> 16 == 0x0010 or row.vrs[0] not in _NUMBERS_AND_CODES


def _markers(identity_removed: bool) -> Mapping[int, bytes]:
    """PS3.15 E.1.1, where the patient's identity is in no clear attribute."""
    if not identity_removed:
        return {0x00120062: encode.text(0x00120062, b"CS", "NO")}
    return {
        0x00120062: encode.text(0x00120062, b"CS", "YES"),
        0x00120063: encode.text(0x00120063, b"LO", METHOD),
        0x00120064: encode.sequence(0x00120064, [_code(*code) for code in PROFILE]),
        0x00280303: encode.text(0x00280303, b"CS", "REMOVED"),
    }


def _code(value: str, meaning: str) -> bytes:
    """A code of DICOM's own scheme (PS3.3, 8)."""
    return b"".join(
        (
            encode.text(0x00080100, b"SH", value),
            encode.text(0x00080102, b"SH", "DCM"),
            encode.text(0x00080104, b"LO", meaning),
        )
    )
