"""Arrays of numpy as sources and targets; numpy itself is never asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import pytest

from tegmen import Sealer, files
from tegmen.errors import InputError, OutputError

np = pytest.importorskip("numpy")


@pytest.mark.parametrize(
    "array", [np.arange(12, dtype=">u2").reshape(3, 4), np.zeros((0, 4))], ids=str
)
def test_a_contiguous_array_can_be_read(array: Any) -> None:
    with files.reading(array) as (reader, _):
        assert bytes(reader.view(0, reader.size)) == array.tobytes()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4)).T, "ndarray"),
        (np.array([object()]), "Python objects"),
        (np.zeros(3, "M8[s]"), "dtype 'M'"),
    ],
    ids=str,
)
def test_any_other_array_is_an_input_error(array: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)), files.reading(array):
        pass


def test_an_array_can_be_written() -> None:
    target = np.zeros(8, np.uint16)
    with files.writing(target) as sink:
        sink.write(b"hello")
    assert target.tobytes() == b"hello".ljust(16, b"\0")


def test_a_transposed_array_cannot_be_written() -> None:
    with pytest.raises(OutputError, match="ndarray"), files.writing(np.zeros((40, 40)).T):
        pass


def test_an_array_comes_back(make_sealer: Callable[..., Sealer]) -> None:
    sealer, image = make_sealer(), np.arange(9000, dtype=np.uint16).reshape(90, 100)
    sealed = np.zeros(sealer.sealed_size(image), np.uint8)
    sealer.seal(image, sealed)
    opened = np.zeros_like(image)
    sealer.open(sealed, opened)
    assert (opened == image).all()


def test_slices_of_one_array_overlap_though_they_are_objects_of_their_own() -> None:
    area = np.arange(100, dtype=np.uint8)
    with files.reading(cast(Any, area[:60])) as (reader, _):
        with pytest.raises(OutputError, match="share memory"):
            files.writing(cast(Any, area[59:]), source=reader)
        with files.writing(cast(Any, area[60:]), source=reader):
            pass
    assert list(area) == list(range(100))
