"""Any file as source and `.tgm` as carrier: their contracts, and what is particular to them."""

from __future__ import annotations

from pathlib import Path

import pytest

import tegmen_image
from tegmen.files import MemoryReader
from tegmen.interfaces import Carrier, Item, Part, Source
from tegmen.testing.containers import CarrierContract, SourceContract
from tegmen.testing.fakes import noise


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (offer,) = tegmen_image.tegmen_sources()
    return offer.make(None, tmp_path)


@pytest.fixture
def carrier(tmp_path: Path) -> Carrier:
    (offer,) = tegmen_image.tegmen_carriers()
    return offer.make(None, tmp_path)


def item(name: str, *parts: bytes) -> Item:
    made = [Part("data", len(part), MemoryReader(part)) for part in parts]
    return Item("file", name, "application/octet-stream", {}, made)


class TestSource(SourceContract):
    @pytest.fixture
    def samples(self) -> list[bytes]:
        return [b"", b"x", b"%PDF-1.7 a report", noise(300_000)]


class TestCarrier(CarrierContract):
    @pytest.fixture
    def items(self) -> list[Item]:
        return [
            item("letter.txt", b"to be seen by nobody else"),
            item("empty", b""),
            item("several parts", noise(1000, 1), b"", noise(1 << 17, 2)),
            item("large.bin", noise(1 << 21, 3)),
        ]


@pytest.mark.parametrize(
    ("name", "extension", "media_type"),
    [
        ("ct.png", ".png", "image/png"),
        ("CT.PNG", ".png", "image/png"),
        ("scan.nii.gz", ".gz", "application/octet-stream"),
        ("README", "", "application/octet-stream"),
        (".hidden", "", "application/octet-stream"),
        ("", "", "application/octet-stream"),
    ],
)
def test_attributes_come_from_the_name(
    source: Source, name: str, extension: str, media_type: str
) -> None:
    found = source.load(MemoryReader(b"any"), name)
    assert found.attributes == {"Extension": extension, "MediaType": media_type}
    assert (found.media_type, found.name) == (media_type, name)


def test_carrier_refuses_nothing(carrier: Carrier) -> None:
    assert carrier.accepts(item("anything", b"")) is None
    assert (carrier.suffix, carrier.tag_placement) == (".tgm", "inline")
