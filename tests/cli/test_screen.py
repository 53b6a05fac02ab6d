"""Output for people and programs: nothing in a name commands a terminal or breaks a document."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from tegmen.cli.screen import Screen, document, plain, plain_lines

names = st.text(st.characters(exclude_categories=())) | st.text(
    "\x00\x1b\n\r\x7f\x9b\u202e\udcff a"
)


@given(names)
def test_plain_text_is_printable_and_can_be_encoded(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@given(names)
def test_only_line_feeds_stay_in_lines(text: str) -> None:
    assert plain_lines(text).count("\n") == text.count("\n")


@given(names)
def test_a_document_is_one_line_that_reads_back(text: str) -> None:
    line = document({"input": text})
    assert "\n" not in line
    assert line.isascii()
    assert json.loads(line) == {"input": text}


def test_bytes_in_a_document_are_hexadecimal() -> None:
    assert document({"check_value": b"\x00\xff"}) == '{"check_value": "00ff"}'


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(json=False, quiet=False).table(("a", "b"), [("x" * 500, "[bold]y")])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["a", "b"]
    assert row.split() == ["x" * 500, "[bold]y"]


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_leaves_warnings_and_failures(
    capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    screen = Screen(json=False, quiet=quiet)
    screen.note("note")
    screen.warn("look out")
    screen.fail("it failed")
    told = capsys.readouterr().err.splitlines()
    assert told == ([] if quiet else ["note"]) + ["warning: look out", "error: it failed"]
