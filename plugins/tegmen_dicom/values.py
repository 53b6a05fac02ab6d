"""What a value may consist of if it is to stay readable: the repertoires of PS3.5, 6.2."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Fits = Callable[[bytes, int], object]
"""Given an element and where its value begins: None if the value is not of that form."""


def _of(value: bytes, most: int) -> Fits:
    """Values of at most so many of these characters, a backslash between, and padding."""
    one = rb"[%s]{0,%d}" % (value, most)
    return re.compile(rb"%s(?:\\%s)*[ \0]?" % (one, one)).fullmatch


FORMS: Mapping[bytes, Fits] = {
    b"AS": _of(rb"0-9DWMY", 4),
    b"CS": _of(rb"A-Z0-9 _", 16),
    b"DA": _of(rb"0-9", 8),
    b"DS": _of(rb"0-9+\-.Ee ", 32),  # the standard ends at 16, which many writers exceed
    b"DT": _of(rb"0-9+\-. ", 26),
    b"IS": _of(rb"0-9+\- ", 12),
    b"TM": _of(rb"0-9. ", 16),
    b"UI": _of(rb"0-9.", 64),
}
"""By VR; the others hold free text, or numbers in binary."""

CODE: Fits = _of(rb"A-Za-z0-9._:/+\-", 64)
"""A code, a coding scheme or its version: no space, so no sentence and no name with parts."""
