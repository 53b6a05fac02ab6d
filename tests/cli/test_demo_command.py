"""`tegmen demo`: it does what it says, on real images and on any file, and can be looked at."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from tegmen.cli.demo import story, viewing

Run = Callable[..., Any]


def sample(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


@pytest.fixture
def told(tmp_path: Path, tegmen: Run) -> Any:
    """The demo as a document, and its folder."""
    ran = tegmen("demo", "-o", tmp_path / "demo", "--json")
    assert ran.code == 0
    return ran.json


def test_the_shipped_images_are_sealed_under_two_profiles_by_rules(told: Any) -> None:
    rules = {one["profile"]: one["rule"] for one in told["sealed"]}
    assert rules == {"hospital-default": "dicom", "teleradiology": "sent-to-a-reader"}
    assert [one["name"] for one in told["sealed"]] == ["ct.dcm", "mr.dcm", "ultrasound.dcm"]
    assert max(one["parts"] for one in told["sealed"]) > 10


def test_everything_is_restored_and_the_recovery_key_alone_is_enough(told: Any) -> None:
    assert all(one["identical"] for one in told["restored"])
    assert told["restored"][-1]["key"] == "recovery/recovery@1"
    folder = Path(told["folder"])
    for path in (folder / "originals").iterdir():
        assert (folder / "opened" / path.name).read_bytes() == path.read_bytes()
        assert (folder / "sealed" / path.name).read_bytes() != path.read_bytes()


def test_what_must_be_refused_is(told: Any) -> None:
    codes = {one["tried"]: one["exit_code"] for one in told["refused"]}
    assert codes == {
        "ct.dcm with one bit flipped": 5,
        "ct.dcm with another hospital's keys": 4,
        "ct.dcm without its last byte": 5,
        "ultrasound.dcm without its case number": 2,
        "ultrasound.dcm with another case number": 5,
    }


def test_the_picture_shows_images_above_and_noise_below(told: Any) -> None:
    with Image.open(told["picture"]) as picture:
        pixels = np.asarray(picture.convert("L"), float)
    middle = pixels.shape[0] // 2
    above, below = pixels[:middle], pixels[middle:]

    def detail(half: np.ndarray) -> float:
        return float(np.abs(np.diff(half, axis=1)).mean())

    assert detail(below) > 3 * detail(above)


def test_it_says_so_in_words(tmp_path: Path, tegmen: Run) -> None:
    ran = tegmen("demo", "-o", tmp_path / "demo")
    assert ran.code == 0
    assert ran.text.count("identical") == 4
    assert "NOT REFUSED" not in ran.text
    assert str(tmp_path / "demo" / "before-and-after.png") in ran.text.replace("\n", "")
    assert ran.err == ""


def test_nothing_is_touched_but_its_own_folder(
    home: Path, tmp_path: Path, tegmen: Run, tree: Run
) -> None:
    before = tree(tmp_path)
    assert tegmen("demo", "-o", tmp_path / "demo", "-q").code == 0
    after = tree(tmp_path)
    assert {name for name in after if not name.startswith("demo/")} == set(before)
    assert (tmp_path / "demo").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "examples_palette.dcm", "JPEG-lossy.dcm", "rtplan.dcm", "image_dfl.dcm"],
)
def test_any_dicom_file(tmp_path: Path, tegmen: Run, name: str) -> None:
    ran = tegmen("demo", sample(name), "-o", tmp_path / "demo", "--json")
    assert ran.code == 0
    assert [one["profile"] for one in ran.json["sealed"]] == ["hospital-default", "teleradiology"]


@pytest.mark.parametrize("content", [b"", b"plain text\n", bytes(300_000)])
def test_any_file(tmp_path: Path, tegmen: Run, content: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(content)
    ran = tegmen("demo", tmp_path / "notes.txt", "-o", tmp_path / "demo", "--json")
    assert ran.code == 0
    assert ran.json["sealed"][0]["carrier"] == "tgm"
    assert (tmp_path / "notes.txt").read_bytes() == content


def test_a_picture(tmp_path: Path, tegmen: Run) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    assert tegmen("demo", tmp_path / "red.png", "-o", tmp_path / "demo", "-q").code == 0
    assert viewing.view(str(tmp_path / "red.png")).image.size == (30, 20)


def test_no_such_file_leaves_no_folder(tmp_path: Path, tegmen: Run) -> None:
    assert tegmen("demo", tmp_path / "nothing", "-o", tmp_path / "demo").code == 3
    assert not (tmp_path / "demo").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, tegmen: Run) -> None:
    (tmp_path / "demo").mkdir()
    assert tegmen("demo", "-o", tmp_path / "demo").code == 3
    assert list((tmp_path / "demo").iterdir()) == []


def test_a_package_that_is_missing_is_named(
    tmp_path: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    ran = tegmen("demo", "-o", tmp_path / "demo")
    assert ran.code == 2
    assert 'pip install "tegmen[demo]"' in ran.err
    assert not (tmp_path / "demo").exists()


def test_a_promise_that_is_broken_ends_with_5(
    tmp_path: Path, tegmen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "_flipped", lambda _sealer, sealed: Path(sealed.path).read_bytes())
    ran = tegmen("demo", "-o", tmp_path / "demo", "--json")
    assert ran.code == 5
    document = json.loads(ran.out.splitlines()[0])
    assert document["as_promised"] is False


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_ybr_color.dcm"])
def test_an_image_is_shown_in_its_tones(name: str) -> None:
    shown = np.asarray(viewing.view(str(sample(name))).image)
    assert shown.min() < 20
    assert shown.max() > 200
    assert len(np.unique(shown)) > 50
