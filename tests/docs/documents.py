"""A pytest plugin that runs the examples in documents: each document in a folder of its own.

Blocks are run from top to bottom. `python` blocks share their names; `sh` blocks run in bash;
`console` blocks run what follows `$ ` and compare what it prints (`...` stands for anything).
A `python` or `toml` block that begins with a comment of a file name, and nothing else, is
written to that file. `text` and `mermaid` are not run; `<!-- skip: next "reason" -->` skips.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

FILE_NAME = re.compile(r"# ([\w.-]+\.(?:py|toml))\n")
NOT_RUN = {"text", "mermaid"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _in_shell(script: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\nexit code {done.returncode}\n{done.stdout}"
    return done.stdout


def _shell(example: Example) -> None:
    _in_shell(example.parsed)


def _console(example: Example) -> None:
    for entry in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = entry.partition("\n")
        printed = _in_shell(command)
        same = not expected.strip() or doctest.OutputChecker().check_output(
            expected, printed, FLAGS
        )
        assert same, f"{command}\nprinted:\n{printed}\nthe document says:\n{expected}"


def _python(example: Example) -> None:
    if not _written(example):
        PythonEvaluator()(example)


def _toml(example: Example) -> None:
    tomllib.loads(example.parsed)
    _written(example)


def _written(example: Example) -> bool:
    named = FILE_NAME.match(example.parsed)
    if named:
        Path(named[1]).write_text(example.parsed)
    return named is not None


RUN: dict[str, Callable[[Example], None]] = {
    "python": _python,
    "sh": _shell,
    "console": _console,
    "toml": _toml,
}


def _unknown(document: Document) -> Iterable[Region]:
    """Blocks of any other language: an example that nobody runs will be wrong one day."""
    for region in FencedCodeBlockLexer(".+")(document):
        language = region.lexemes["language"]
        if language not in RUN.keys() | NOT_RUN:
            yield Region(region.start, region.end, language, _refuse)


def _refuse(example: Example) -> None:
    raise AssertionError(f"nothing runs {example.parsed!r} blocks; use one of {[*RUN, *NOT_RUN]}")


def _set_up(namespace: dict[str, Any]) -> None:
    """An empty folder to work in, which is the user's home as well."""
    stack = namespace["_stack"] = contextlib.ExitStack()
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    stack.enter_context(contextlib.chdir(folder))
    stack.callback(os.environ.__setitem__, "HOME", os.environ["HOME"])
    os.environ["HOME"] = folder


def _tear_down(namespace: dict[str, Any]) -> None:
    namespace["_stack"].close()


pytest_collect_file = Sybil(
    [*(CodeBlockParser(language, run) for language, run in RUN.items()), _unknown, SkipParser()],
    path=str(Path(__file__).parents[2]),
    pattern="*.md",
    setup=_set_up,
    teardown=_tear_down,
).pytest()
