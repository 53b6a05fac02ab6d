"""The public facts that rules may use, taken from a DICOM file."""

from __future__ import annotations

from tegmen.interfaces import Attributes
from tegmen_dicom.survey import Survey

TEXTS: dict[str, int] = {
    "SOPClassUID": 0x00080016,
    "Modality": 0x00080060,
    "ImageType": 0x00080008,
    "ConversionType": 0x00080064,
    "Manufacturer": 0x00080070,
    "ManufacturerModelName": 0x00081090,
    "InstitutionName": 0x00080080,
    "InstitutionalDepartmentName": 0x00081040,
    "StationName": 0x00081010,
    "BodyPartExamined": 0x00180015,
    "SoftwareVersions": 0x00181020,
    "NumberOfFrames": 0x00280008,
    "PhotometricInterpretation": 0x00280004,
    "BurnedInAnnotation": 0x00280301,
    "PatientIdentityRemoved": 0x00120062,
}
"""Keywords of text, as the file spells it; several values are joined by a backslash."""

NUMBERS: dict[str, int] = {
    "SamplesPerPixel": 0x00280002,
    "Rows": 0x00280010,
    "Columns": 0x00280011,
    "BitsAllocated": 0x00280100,
    "BitsStored": 0x00280101,
}

_CHARACTER_SET = 0x00080005
_ESCAPE = b"\x1b"


def facts(survey: Survey) -> Attributes:
    """What `TEXTS` and `NUMBERS` name and the file has, and `TransferSyntaxUID`.

    None of them identifies a patient. Absent and empty values, and those over 1 KiB, are
    left out.
    """
    found: dict[str, str] = {}
    if survey.transfer_syntax:
        found["TransferSyntaxUID"] = survey.transfer_syntax
    elements = survey.elements
    for keyword, tag in TEXTS.items():
        if tag in elements and (value := survey.value(tag)):
            found[keyword] = _text(survey, value)
    for keyword, tag in NUMBERS.items():
        if tag in elements and (number := survey.number(tag)) is not None:
            found[keyword] = str(number)
    return found


def _text(survey: Survey, value: bytes) -> str:
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii")
    return _decoded(survey, value)


def _decoded(survey: Survey, value: bytes) -> str:
    """Text in the character sets that the file names (PS3.5, 6.1)."""
    import warnings

    from pydicom.charset import convert_encodings, decode_bytes

    named = (survey.value(_CHARACTER_SET) or b"").decode("ascii", "replace").split("\\")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an unknown character set is replaced by the default
        try:
            return decode_bytes(value, convert_encodings(named), set())
        except (LookupError, ValueError):
            return value.decode("latin-1")
