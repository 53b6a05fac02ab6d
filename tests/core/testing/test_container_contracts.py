"""The contracts of sources and carriers go red, in the right place, on each that is wrong."""

from __future__ import annotations

from collections import defaultdict

import pytest

HONEST = ["HostileSource", "HostileCarrier", "TableCarrier"]
CAUGHT = {
    "HostileSource": set[str](),
    "ShortSource": {"test_rebuilds_bit_for_bit"},
    "OverclaimingSource": {"test_rebuilds_bit_for_bit"},
    "LosingSource": {"test_rebuilds_bit_for_bit"},
    "HoldingSource": {"test_rebuilds_bit_for_bit"},
    "HalfRestoringSource": {"test_restoring_opens_every_part"},
    "TrustingSource": {
        "test_notes_that_do_not_fit_are_refused",
        "test_another_number_of_parts_is_refused",
    },
    "NervousSource": {"test_detecting_raises_nothing"},
    "CrashingSource": {"test_damaged_input_is_refused_or_kept"},
    "HostileCarrier": set[str](),
    "DroppingCarrier": {"test_gives_back_the_same_stream"},
    "HastyCarrier": {"test_gives_back_the_same_stream"},
    "PatchingCarrier": {"test_inline_tags_need_no_seeking"},
    "LeakingCarrier": {"test_shows_nothing_that_is_sealed"},
    "GrowingCarrier": {"test_size_is_known_before"},
    "GreedyCarrier": {"test_unpacking_reads_no_body"},
    "NarrowCarrier": {"test_detecting_raises_nothing"},
    "CrashingCarrier": {"test_foreign_bytes_hold_nothing", "test_damage_is_a_typed_error"},
    "PaddingCarrier": {"test_damage_is_a_typed_error"},
}
"""What has to fail for each; a fault may make others fail as well."""

HEAD = """
import pytest
from tegmen.files import MemoryReader
from tegmen.interfaces import Item, Part
from tegmen.testing import containers, fakes, hostile_containers
from tegmen_image.carrier import TgmCarrier
from tegmen_image.source import FileSource

SAMPLES = [fakes.noise(size, size) for size in (3, 150, 5000, 1 << 20)]

@pytest.fixture
def samples():
    return SAMPLES

@pytest.fixture
def items():
    parts = [Part("data", len(sample), MemoryReader(sample)) for sample in SAMPLES]
    return [
        Item("file", "Bloggs, Joe", "a/b", {}, parts[:1]),
        Item("file", "Bloggs, Joe", "a/b", {}, parts),
    ]

class TableCarrier(hostile_containers.HostileCarrier):
    tag_placement = "table"

class TestTableCarrier(containers.CarrierContract):
    @pytest.fixture
    def carrier(self):
        return TableCarrier(TgmCarrier())
"""
SOURCE_CLASS = """
class Test{name}(containers.SourceContract):
    @pytest.fixture
    def source(self):
        return hostile_containers.{name}(FileSource())
"""
CARRIER_CLASS = """
class Test{name}(containers.CarrierContract):
    @pytest.fixture
    def carrier(self):
        return hostile_containers.{name}(TgmCarrier())
"""


def test_each_fault_is_caught(pytester: pytest.Pytester) -> None:
    classes = [
        (SOURCE_CLASS if name.endswith("Source") else CARRIER_CLASS).format(name=name)
        for name in CAUGHT
    ]
    pytester.makepyfile(HEAD + "".join(classes))
    run = pytester.inline_run("-q", "-p", "no:cacheprovider")
    found: dict[str, set[str]] = defaultdict(set)
    for report in run.listoutcomes()[2]:
        _, name, test = report.nodeid.split("::")
        found[name.removeprefix("Test")].add(test.partition("[")[0])
    assert not set().union(*(found[name] for name in HONEST)), "an honest one failed"
    missed = {name: tests - found[name] for name, tests in CAUGHT.items()}
    assert not any(missed.values()), missed
