"""Which attributes of a sealed object stay readable: `clear.txt`, and what a profile adds."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping

from attrs import frozen

from tegmen.errors import ConfigError
from tegmen.problem import did_you_mean
from tegmen_dicom import encode
from tegmen_dicom.options import DicomOptions

METHOD = "tegmen: sealed; the original is encrypted in (0400,0500)"
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
        keep: VRs that are right for a tag that stays.
        fixed: elements that stand in for those of the same tag.
        added: elements that every sealed object gets.
    """

    keep: Mapping[int, tuple[bytes, ...]]
    fixed: Mapping[int, bytes]
    added: Mapping[int, bytes]


def rules_for(options: DicomOptions) -> Rules:
    """The rules of a profile. Raises ConfigError for a keyword that cannot be kept."""
    rows = list(table())
    chosen = [row for row in rows if options.clear == "technical" or row.set == "minimal"]
    extra = [_extra(keyword, rows) for keyword in options.keep]
    keep = {row.tag: row.vrs for row in chosen if row.action == "keep"}
    keep |= {row.tag: row.vrs for row in extra}
    fixed = {
        row.tag: encode.text(row.tag, row.vrs[0], row.value)
        for row in chosen
        if row.action != "keep" and row.tag not in keep
    }
    return Rules(keep, fixed, _markers(not any(map(_may_identify, extra))))


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
        0x00280303: encode.text(0x00280303, b"CS", "REMOVED"),
    }
