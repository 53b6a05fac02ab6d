"""A passphrase from a file, a variable or a person: which is taken, and what is refused."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from tegmen.errors import AccessDenied, ConfigError, InsecureConfig, StoreUnavailable
from tegmen.passphrase import Ask, PassphraseOptions

PASSPHRASE = "correct horse battery staple"
LEAST = 20

Given = Callable[[bytes], Ask]


@pytest.fixture
def in_file(tmp_path: Path) -> Given:
    """Puts it in a file, and gives the way to it."""

    def put(content: bytes) -> Ask:
        (tmp_path / "words").write_bytes(content)
        (tmp_path / "words").chmod(0o600)
        return asking(PassphraseOptions(passphrase_file=Path("words")), tmp_path)

    return put


@pytest.fixture
def in_variable(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Puts it in an environment variable, and gives the way to it."""

    def put(content: bytes) -> Ask:
        monkeypatch.setitem(os.environb, b"WORDS", content)
        return asking(PassphraseOptions(passphrase_env="WORDS"))

    return put


@pytest.fixture(params=["in_file", "in_variable"])
def given(request: pytest.FixtureRequest) -> Given:
    """Puts it in either."""
    put: Given = request.getfixturevalue(request.param)
    return put


def asking(options: PassphraseOptions, base: Path = Path()) -> Ask:
    ask = options.asking(base, "the safe", LEAST)
    assert ask is not None
    return ask


# ---------------------------------------------------------------- which way


def test_one_way_at_most() -> None:
    assert PassphraseOptions().ways == 0
    assert PassphraseOptions().asking(Path(), "the safe", LEAST) is None
    assert PassphraseOptions(prompt=True).ways == 1
    for two in ({"prompt": True}, {"passphrase_file": Path("words")}):
        with pytest.raises(ConfigError, match="2 ways"):
            PassphraseOptions(passphrase_env="WORDS", **two)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORDS", raising=False)
    with pytest.raises(StoreUnavailable, match="WORDS is not set") as caught:
        asking(PassphraseOptions(passphrase_env="WORDS"))(False)
    assert "the safe" in caught.value.hint


@pytest.mark.parametrize("rest", ["", "\n", "\r\n", "\nsecond line\n", "\n" + "x" * 5000])
def test_only_the_first_line_of_a_file_counts(in_file: Given, rest: str) -> None:
    assert in_file((PASSPHRASE + rest).encode())(True) == PASSPHRASE.encode()


def test_a_file_is_private(in_file: Given, tmp_path: Path) -> None:
    ask = in_file(PASSPHRASE.encode())
    (tmp_path / "words").chmod(0o640)
    with pytest.raises(InsecureConfig, match="passphrase file"):
        ask(False)


# ---------------------------------------------------------------- what is a passphrase


@pytest.mark.parametrize("new", [True, False])
def test_letters_spelled_in_two_ways_are_one_passphrase(given: Given, new: bool) -> None:
    spelled = {
        bytes(given(unicodedata.normalize(form, "Ångström Märchen Höhle").encode())(new))
        for form in ("NFC", "NFD")
    }
    assert spelled == {"Ångström Märchen Höhle".encode()}


def test_the_caller_may_wipe_it(given: Given) -> None:
    ask = given(PASSPHRASE.encode())
    ask(False)[:] = b""
    assert ask(False) == PASSPHRASE.encode()


@pytest.mark.parametrize("longest", [b"w" * 1023, "ü".encode() * 511])
def test_a_long_one_is_taken(given: Given, longest: bytes) -> None:
    assert given(longest)(True) == longest


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 24,
        "ü".encode()[:1] + b"horse battery staple",
        b"w" * 1024,
        "ü".encode() * 512,
        "\u0958".encode() * 300,  # grows to 1800 bytes in NFC
        b"w" * 5000,
    ],
    ids=["empty", "no text", "a cut letter", "long", "long in UTF-8", "long in NFC", "very long"],
)
def test_what_is_none_is_refused_and_not_repeated(given: Given, content: bytes, new: bool) -> None:
    with pytest.raises(AccessDenied, match="1 to 1023 bytes of UTF-8") as caught:
        given(content)(new)
    assert not content or os.fsdecode(content) not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_new_one_is_long_enough(given: Given) -> None:
    weak = "ü" * (LEAST - 1)
    ask = given(weak.encode())
    assert ask(False) == weak.encode()
    with pytest.raises(AccessDenied, match=f"fewer than {LEAST} characters") as caught:
        ask(True)
    assert weak not in f"{caught.value} {caught.value.hint}"


# ---------------------------------------------------------------- a person

PROMPT = """
import sys
from pathlib import Path
from tegmen.passphrase import PassphraseOptions
ask = PassphraseOptions(prompt=True).asking(Path(), "the safe", 20)
print(ask(sys.argv[1] == "new").decode())
"""


def prompted(what: str, *typed: str) -> tuple[str, str]:
    """What PROMPT says on stdout, and on a terminal where `typed` answers its questions."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROMPT, what],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    asked = b""
    try:
        assert process.stderr is not None
        for line in typed:
            while not asked.endswith(b": "):
                asked += os.read(process.stderr.fileno(), 1) or pytest.fail(asked.decode())
            os.write(ours, f"{line}\n".encode())
            asked += b"<answer>"
        output, errors = process.communicate(timeout=60)
        asked += os.read(ours, 4096) if select.select([ours], [], [], 0)[0] else b""
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
    return output.decode(), (asked + errors).decode()


def test_a_new_one_is_typed_twice_and_an_old_one_once() -> None:
    for what, lines in (("new", [PASSPHRASE] * 2), ("old", [PASSPHRASE])):
        output, shown = prompted(what, *lines)
        assert output == f"{PASSPHRASE}\n", shown
        assert "Passphrase of the safe: <answer>" in shown
        assert shown.count("<answer>") == len(lines)
        assert PASSPHRASE not in shown, "what is typed must not be shown"


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "prompt", lambda *_, **__: pytest.fail("somebody was asked"))
    with open(os.devnull) as nothing:
        for stdin in (nothing, None):
            monkeypatch.setattr(sys, "stdin", stdin)
            with pytest.raises(StoreUnavailable, match=r"the safe asks .*no terminal") as caught:
                asking(PassphraseOptions(prompt=True))(False)
            assert "passphrase-file" in caught.value.hint
