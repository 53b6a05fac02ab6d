"""Reading tables into attrs classes: every type strictly, every message useful, no secret shown."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs import field, frozen

from tegmen.errors import ConfigError
from tegmen.problem import did_you_mean, shown
from tegmen.structure import REST_OF_TABLE, Table, structure


@frozen
class Inner:
    deep_value: int = 0


@frozen
class Everything:
    text: str = ""
    count: int = 0
    ratio: float = 0.0
    flag: bool = False
    path: Path = Path()
    choice: Literal["one", "two"] = "one"
    several: tuple[int, ...] = ()
    sequence: Sequence[str] = ()
    maybe: str | None = None
    either: int | tuple[str, ...] = 0
    table: Mapping[str, int] = field(factory=dict)
    inner: Inner = Inner()
    inners: tuple[Inner, ...] = ()
    anything: Any = None


@frozen
class Secretive:
    passphrase: str = field(default="", repr=False, validator=attrs.validators.max_len(30))
    pin: str = field(default="0000", repr=False, validator=attrs.validators.matches_re("[0-9]{4}"))
    rounds: int = field(default=8, validator=attrs.validators.ge(8))


@frozen
class WithRest:
    kind: str
    rest: Mapping[str, Any] = field(metadata=REST_OF_TABLE)


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("text", "x", "x"),
        ("count", -3, -3),
        ("ratio", 1, 1.0),
        ("ratio", 0.5, 0.5),
        ("flag", True, True),
        ("path", "a/b", Path("a/b")),
        ("choice", "two", "two"),
        ("several", [1, 2], (1, 2)),
        ("sequence", ["a"], ["a"]),
        ("maybe", "x", "x"),
        ("either", 4, 4),
        ("either", ["a"], ("a",)),
        ("table", {"a": 1}, {"a": 1}),
        ("inner", {"deep-value": 7}, Inner(7)),
        ("inners", [{}, {"deep-value": 7}], (Inner(), Inner(7))),
        ("anything", {"a": [1, {"b": 0.5}], "c": False}, {"a": [1, {"b": 0.5}], "c": False}),
    ],
)
def test_what_fits_is_read(key: str, value: object, read: object) -> None:
    assert getattr(structure(Everything, {key: value}), key) == read


def test_a_path_may_start_from_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/of/mine")
    for path, read in (("~/a", "/of/mine/a"), ("~", "/of/mine"), ("a/~", "a/~")):
        assert structure(Everything, {"path": path}).path == Path(read)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("text", 1, "text: 1 is not a string"),
        ("count", True, "count: true is not an integer"),
        ("count", 1.0, "count: 1.0 is not an integer"),
        ("count", "1", "count: '1' is not an integer"),
        ("count", 1 << 63, "count: an integer beyond 64 bits is not an integer"),
        ("ratio", True, "ratio: true is not a number"),
        ("ratio", "0.5", "ratio: '0.5' is not a number"),
        ("flag", 1, "flag: 1 is not true or false"),
        ("path", "", "path: '' is not a path"),
        ("path", "a\0b", "is not a path"),
        ("path", "~nobody-of-that-name/a", "a path: there is no such home"),
        ("choice", "three", "choice: 'three' is not one of 'one', 'two'"),
        ("choice", 1, "choice: 1 is not one of"),
        ("several", "12", "several: '12' is not a list"),
        ("several", [1, "2"], "several #2: '2' is not an integer"),
        ("sequence", "abc", "sequence: 'abc' is not a list"),
        ("maybe", 1, "maybe: 1 is not a string"),
        ("either", "a", "either: 'a' is not an integer or a list"),
        ("either", [1], "either #1: 1 is not a string"),
        ("table", [], "table: a list is not a table"),
        ("table", {"a.b": "c"}, "table.'a.b': 'c' is not an integer"),
        ("inner", 1, "inner: 1 is not a table"),
        ("inner", {"deep-value": "x"}, "inner.deep-value: 'x' is not an integer"),
        ("inner", {"deep_value": 1}, "inner.deep_value: unknown key"),
        ("inners", [{}, {"deep-valu": 7}], "inners #2.deep-valu: unknown key"),
        ("anything", {"a": 1 << 70}, "anything: an integer beyond 64 bits"),
        ("anything", b"x", "a string, a number, a boolean, a list or a table"),
    ],
)
def test_what_does_not_fit_is_named_with_key_and_value(
    key: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        structure(Everything, {key: value}, "here")
    assert str(caught.value).startswith("here: ")
    assert message in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        structure(Everything, {"text": 1, "cont": 2, "inner": {"x": 1}})
    assert len(str(caught.value).splitlines()) == 3
    assert 'did you mean "count"?' in caught.value.hint


def test_a_flood_of_problems_is_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        structure(Everything, {f"x{number}": 1 for number in range(1000)})
    assert str(caught.value).splitlines()[-1] == "... and 980 more"


def test_nesting_is_bounded() -> None:
    value: object = 1
    for _ in range(5000):
        value = [value]
    with pytest.raises(ConfigError, match="nested at most 16 deep"):
        structure(Everything, {"anything": value})


@pytest.mark.parametrize("values", [{"passphrase": ["hunter2"]}, {"pin": "hunter2"}])
def test_a_secret_is_never_shown(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        structure(Secretive, values)
    shown_to_anyone = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert "hunter2" not in shown_to_anyone


def test_a_validators_message_is_shown_when_nothing_is_secret() -> None:
    with pytest.raises(ConfigError, match="'rounds' must be >= 8: 4"):
        structure(Secretive, {"rounds": 4})


def test_what_no_field_is_for_goes_to_the_rest() -> None:
    read = structure(WithRest, {"kind": "k", "path": "p", "rest": {"x": 1}})
    assert read == WithRest("k", {"path": "p", "rest": {"x": 1}})
    with pytest.raises(ConfigError, match="t: kind: is missing"):
        structure(WithRest, {"path": "p"}, "t")
    with pytest.raises(ConfigError, match="t: path: an integer beyond 64 bits"):
        structure(WithRest, {"kind": "k", "path": 1 << 64}, "t")


def test_a_table_says_where_it_stands() -> None:
    with pytest.raises(ConfigError, match=r"site\.toml: stores\.x: cnt: unknown key"):
        structure(Everything, Table({"cnt": 1}, "site.toml: stores.x"))


def test_messages_hold_nothing_that_a_terminal_obeys() -> None:
    assert shown("\x1b[31m\u202e") == "'\\x1b[31m\\u202e'"
    assert len(shown("x" * 10_000)) <= 80
    assert shown(10**5000) == "an integer beyond 64 bits"
    with pytest.raises(ConfigError) as caught:
        structure(Everything, {"\x1b[2J": 1})
    assert "\x1b" not in str(caught.value) + caught.value.hint


def test_a_hint_names_the_nearest_or_all() -> None:
    assert did_you_mean("CIPHR", ["cipher", "carrier"]) == 'did you mean "cipher"?'
    assert did_you_mean("zzz", ["cipher", "carrier"]) == "known: carrier, cipher"
    assert did_you_mean("zzz", []) == ""
