"""The rules of the house, read from the source: who may import whom, and what a plugin costs."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ROOTS = ("core", "plugins", "keystores")
SCRIPT_GROUPS = {"console_scripts", "gui_scripts"}


def packages(root: Path) -> dict[str, Path]:
    """Import name of every package, and its folder."""
    return {
        folder.name: folder
        for source_root in ROOTS
        for folder in sorted((root / source_root).iterdir())
        if (folder / "__init__.py").exists()
    }


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level name of everything imported, in functions and by name as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name.partition(".")[0]) for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module.partition(".")[0]
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module.partition(".")[0]


def forbidden_imports(root: Path) -> list[str]:
    """Where core imports a plugin, or a plugin another one."""
    found = packages(root)
    plugins = set(found) - {"tegmen"}
    return [
        f"{path.relative_to(root)}:{line} imports {imported}"
        for name, folder in found.items()
        for path in sorted(folder.rglob("*.py"))
        for line, imported in imports(path)
        if imported in plugins - {name}
    ]


def bad_docstrings(root: Path) -> list[str]:
    """Modules whose docstring does not begin with one line that ends as a sentence does."""
    paths = [path for name in ROOTS for path in sorted((root / name).rglob("*.py"))]
    return [str(path.relative_to(root)) for path in paths if not _begins_well(path)]


def _begins_well(path: Path) -> bool:
    lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
    return bool(lines) and lines[0].endswith(".") and not any(lines[1:2])


def plugin_lines(pyproject: str, package: str) -> list[str]:
    """The lines of a pyproject.toml that are there for one package."""
    name = re.compile(rf"\b{re.escape(package)}\b")
    return [line for line in pyproject.splitlines() if name.search(line)]


def write(root: Path, files: dict[str, str]) -> None:
    """The files, and the empty `__init__.py` of each package of the house that is missing."""
    for name in ("core/tegmen", "plugins/tegmen_a", "keystores/tegmen_b"):
        files = {f"{name}/__init__.py": '"""A part."""\n', **files}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def entry_points() -> list[tuple[str, str, str]]:
    """Group, name and module of every plugin in the project's metadata."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    return [
        (group, name, module) for group, names in groups.items() for name, module in names.items()
    ]


def offers(group: str, module: str) -> dict[str, Any]:
    """What a plugin supplies through the hook of that group."""
    hook = getattr(importlib.import_module(module), group.replace(".", "_"))
    return {offer.name: offer for offer in hook()}


def test_core_imports_no_plugin_and_plugins_not_each_other() -> None:
    assert forbidden_imports(ROOT) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("core/tegmen/x.py", "import tegmen_a"),
        ("core/tegmen/deep/x.py", "from tegmen_a.inner import thing"),
        ("core/tegmen/x.py", "def f():\n    import tegmen_b.inner"),
        ("core/tegmen/x.py", "if TYPE_CHECKING:\n    from tegmen_b import thing"),
        ("core/tegmen/x.py", "importlib.import_module('tegmen_a.inner')"),
        ("plugins/tegmen_a/x.py", "import os, tegmen_b"),
        ("keystores/tegmen_b/x.py", "__import__('tegmen_a')"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, path: str, line: str) -> None:
    write(tmp_path, {path: f'"""A part."""\n{line}\n'})
    (found,) = forbidden_imports(tmp_path)
    assert found.startswith(path)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("plugins/tegmen_a/x.py", "import tegmen, tegmen.files, tegmen_a.inner"),
        ("plugins/tegmen_a/x.py", "from . import inner"),
        ("core/tegmen/x.py", "import pydicom, tegmen_unknown"),
    ],
)
def test_other_imports_are_free(tmp_path: Path, path: str, line: str) -> None:
    write(tmp_path, {path: f'"""A part."""\n{line}\n'})
    assert forbidden_imports(tmp_path) == []


def test_each_module_says_in_one_line_what_it_is() -> None:
    assert bad_docstrings(ROOT) == []


@pytest.mark.parametrize(
    "text", ["", "import os\n", '"""No full stop"""\n', '"""Two lines\nin one sentence."""\n']
)
def test_a_bad_docstring_is_found(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"core/tegmen/x.py": text})
    assert bad_docstrings(tmp_path) == ["core/tegmen/x.py"]


@pytest.mark.parametrize(("group", "name", "module"), entry_points())
def test_each_entry_point_offers_its_name(group: str, name: str, module: str) -> None:
    assert name in offers(group, module)


def test_each_offer_has_an_entry_point() -> None:
    listed = set(entry_points())
    for group, _, module in listed:
        assert {(group, name, module) for name in offers(group, module)} <= listed


def test_a_plugin_costs_three_lines_beside_its_folder() -> None:
    """One line for the wheel, one for each name it offers; none anywhere in core."""
    pyproject = (ROOT / "pyproject.toml").read_text()
    names = [module for _, _, module in entry_points()]
    for package in set(packages(ROOT)) - {"tegmen"}:
        lines = plugin_lines(pyproject, package)
        assert len(lines) == 1 + names.count(package), lines
        core = [path for path in (ROOT / "core").rglob("*.py") if package in path.read_text()]
        assert core == [], f"core names {package}"


def test_every_package_is_in_the_wheel() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    listed = build["targets"]["wheel"]["packages"]
    assert sorted(listed) == sorted(
        str(folder.relative_to(ROOT)) for folder in packages(ROOT).values()
    )


def test_the_slice_is_cut_from_this_project() -> None:
    """tests/slice repeats some of the metadata; what it repeats has to be the same."""
    whole, slice_ = (
        tomllib.loads(path.read_text())["project"]
        for path in (ROOT / "pyproject.toml", ROOT / "tests/slice/pyproject.toml")
    )
    assert slice_["version"] == whole["version"] + "+acme.1"
    assert slice_["dependencies"] == whole["dependencies"]
    for group, names in slice_["entry-points"].items():
        assert names.items() <= whole["entry-points"][group].items()


def test_a_missing_tool_is_a_failure_where_ci_says_so(
    requires_tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEGMEN_REQUIRE_TOOLS", raising=False)
    with pytest.raises(pytest.skip.Exception):
        requires_tool("no-such-tool")
    monkeypatch.setenv("TEGMEN_REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception):
        requires_tool("no-such-tool")
    assert requires_tool("sh").endswith("/sh")
