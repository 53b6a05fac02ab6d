"""Help: quick, with an example for every command, and true."""

from __future__ import annotations

import importlib.metadata
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tegmen.cli.root import BUILT_IN, SECTIONS, root

Run = Callable[..., Any]

HEAVY = {
    "argparse",
    "asyncio",
    "cattrs",
    "cbor2",
    "cryptography",
    "multiprocessing",
    "numpy",
    "PIL",
    "pydicom",
    "rich",
    "tegmen.sealer",
    "tegmen.profile",
    "tegmen_dicom",
    "tegmen_file",
}


def commands(group: click.Group = root, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every built-in command, by the words that call it."""
    context = click.Context(group)
    found = []
    names = BUILT_IN if group is root else group.list_commands(context)
    for name in sorted(names):
        command = group.get_command(context, name)
        assert command is not None
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_shows_an_example_that_parses(path: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(root, [*path, "--help"])
    assert ran.exit_code == 0
    examples = [line.strip() for line in ran.output.split("Examples:")[1].splitlines()]
    own = [line for line in examples if f"tegmen {' '.join(path)}" in line]
    own += [line for line in examples if line.startswith("tegmen -c") and path[-1] in line]
    assert own, "no example calls the command itself"


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    context = click.Context(root)
    command: click.Command = root
    for word in path:
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None
        command = found
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_list_of_commands_is_the_contract() -> None:
    ran = CliRunner().invoke(root, ["--help"])
    for name, text in (pair for section in SECTIONS.values() for pair in section.items()):
        assert f"{name} " in ran.output
        assert text in ran.output
    assert {
        *("init", "seal", "open", "inspect", "verify", "explain"),
        *("keys", "plugins", "doctor", "demo"),
    } == BUILT_IN
    keys = {path[1] for path in commands() if path[0] == "keys" and len(path) == 2}
    assert {
        *("create", "list", "show", "rotate", "disable", "enable"),
        *("destroy", "backup", "restore"),
    } == keys


def test_the_version_is_that_of_the_distribution() -> None:
    ran = CliRunner().invoke(root, ["--version"])
    assert ran.output == f"tegmen {importlib.metadata.version('tegmen')}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['tegmen', '--help']\n"
        "from tegmen.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('|', *sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.rpartition("|")[2].split())
    assert loaded & HEAVY == set()


def test_help_is_there_at_once() -> None:
    """The figure is 150 ms of an idle machine; processor time hardly depends on what else runs."""
    command = [sys.executable, "-c", "from tegmen.cli import main; main()", "--help"]

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(8)) < 0.3


# --------------------------------------------------------------------------- commands of plugins

PLUGIN = """
import click
import tegmen
from tegmen.interfaces import Offer

@click.command("greet", help="Say hello.")
def greet():
    click.echo("hello")

@tegmen.hookimpl
def tegmen_commands():
    return [Offer("greet", lambda _options, _folder: greet)]
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution that supplies a command, on the path."""
    folder = tmp_path / "site"
    info = folder / "acme_greet-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "acme_greet.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-greet\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[tegmen.commands]\ngreet = acme_greet\nseal = acme_greet\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))
    return folder


def test_a_command_of_a_plugin_is_listed_without_being_imported(
    plugin: Path, process: Run, tmp_path: Path
) -> None:
    (plugin / "acme_greet.py").write_text("raise SystemExit('imported')")
    ran = process("--help", cwd=tmp_path)
    assert ran.code == 0
    assert "greet    From acme-greet 1.0." in ran.text


def test_a_command_of_a_plugin_runs(plugin: Path, process: Run, tmp_path: Path) -> None:
    assert process("greet", cwd=tmp_path).text == "hello\n"


def test_a_plugin_does_not_take_the_place_of_a_built_in_command(
    plugin: Path, process: Run, tmp_path: Path
) -> None:
    assert "Protect images" not in process("seal", "--help", cwd=tmp_path).text
    assert "Seal files" in process("seal", "--help", cwd=tmp_path).text


def test_a_command_outside_the_allow_list_is_refused(
    plugin: Path, process: Run, home: Path
) -> None:
    ran = process("greet", cwd=home)
    assert ran.code == 2
    assert "allow-list" in ran.err


def test_a_command_that_cannot_be_loaded_is_an_error(
    plugin: Path, process: Run, tmp_path: Path
) -> None:
    (plugin / "acme_greet.py").write_text("import no_such_module")
    ran = process("greet", cwd=tmp_path)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_no_command_shows_the_help() -> None:
    for words in ([], ["keys"]):
        ran = CliRunner().invoke(root, words)
        assert ran.exit_code == 2
        assert ran.stderr.startswith("Usage: tegmen")
        assert ran.stdout == ""


def test_a_command_that_is_not_there_may_mean_another() -> None:
    ran = CliRunner().invoke(root, ["sael", "x"])
    assert ran.exit_code == 2
    assert 'did you mean "seal"?' in ran.stderr
