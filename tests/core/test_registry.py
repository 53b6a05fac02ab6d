"""The registry against distributions that are really on the path: well-behaved, twice, broken."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from tegmen.errors import (
    ConfigError,
    PluginBroken,
    PluginConflict,
    PluginNotAllowed,
    PluginNotFound,
    StoreUnavailable,
)
from tegmen.registry import Allowed, Registry
from tegmen.structure import Table

Install = Callable[..., Path]

CIPHER = """
import tegmen.hooks as hooks
from tegmen.interfaces import CipherInfo, Offer

class Rot:
    info = CipherInfo("{name}", "research", 1, 12, 0)

@hooks.hookimpl
def tegmen_ciphers():
    return [Offer("{name}", lambda options, base: Rot(), needs="patience")]
"""

STORE = """
from attrs import field, frozen
import tegmen.hooks as hooks
from tegmen.interfaces import Offer

@frozen
class Options:
    path: str
    pin: str = field(default="", repr=False)

class Store:
    kind = "acme-store"
    def __init__(self, options, base):
        self.options, self.base = options, base

@hooks.hookimpl
def tegmen_keystores():
    return [Offer("acme-store", Store, Options)]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution on the path: modules, entry points and metadata."""
    before = set(sys.modules)

    def put(
        name: str, points: str, version: str = "1.0", folder: str = "", more: str = "", **code: str
    ) -> Path:
        site = tmp_path / (folder or f"{name}-{version}")
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
        )
        (info / "entry_points.txt").write_text(points)
        for module, text in code.items():
            (site / f"{module}.py").write_text(text)
        (info / "RECORD").write_text("".join(f"{module}.py,,\n" for module in code))
        monkeypatch.syspath_prepend(str(site))
        return site

    yield put
    for module in set(sys.modules) - before:
        if module.startswith("acme_"):
            del sys.modules[module]


def cipher(name: str) -> str:
    return CIPHER.format(name=name)


def test_a_named_plugin_is_found_made_and_alone_imported(install: Install) -> None:
    points = "[tegmen.ciphers]\nacme-rot = acme_rot\n[tegmen.keystores]\nacme-store = acme_store\n"
    install("acme-rot", points, acme_rot=cipher("acme-rot"), acme_store=STORE)
    registry = Registry()
    assert "acme-rot" in registry.names("ciphers")
    assert "acme_rot" not in sys.modules
    assert registry.cipher("acme-rot").info.name == "acme-rot"
    assert "acme_rot" in sys.modules
    assert "acme_store" not in sys.modules


def test_options_are_read_strictly_and_made_with_the_base(install: Install) -> None:
    install("acme", "[tegmen.keystores]\nacme-store = acme_store\n", acme_store=STORE)
    registry = Registry()
    store = registry.keystore("acme-store", {"path": "keys", "pin": "1234"}, Path("/base"))
    assert store.options.path == "keys"  # type: ignore[attr-defined]  # the fake's own
    assert store.base == Path("/base")  # type: ignore[attr-defined]  # the fake's own
    wrong = Table({"pth": "keys", "pin": 987654}, "site.toml: stores.local")
    with pytest.raises(ConfigError) as caught:
        registry.keystore("acme-store", wrong, Path())
    text = str(caught.value)
    assert "site.toml: stores.local: pth: unknown key" in text
    assert "site.toml: stores.local: path: is missing" in text
    assert "site.toml: stores.local: pin: the value is not a string" in text
    assert "987654" not in text
    assert 'did you mean "path"?' in caught.value.hint


def test_options_for_a_plugin_that_takes_none_are_refused(install: Install) -> None:
    install("acme", "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    assert Registry().cipher("acme-rot", {})
    with pytest.raises(ConfigError, match="takes no options, and 'rounds' is there"):
        Registry().cipher("acme-rot", {"rounds": 3})


def test_two_distributions_with_one_name_conflict_before_either_is_imported(
    install: Install,
) -> None:
    install("acme-one", "[tegmen.ciphers]\nacme-rot = acme_one\n", acme_one=cipher("acme-rot"))
    install(
        "acme-two", "[tegmen.ciphers]\nacme-rot = acme_two\n", "2.5", acme_two=cipher("acme-rot")
    )
    with pytest.raises(PluginConflict) as caught:
        Registry().cipher("acme-rot")
    assert "acme-one 1.0" in str(caught.value)
    assert "acme-two 2.5" in str(caught.value)
    assert not {"acme_one", "acme_two"} & set(sys.modules)


def test_an_allow_list_that_names_one_distribution_settles_a_conflict(install: Install) -> None:
    install("acme-one", "[tegmen.ciphers]\nacme-rot = acme_one\n", acme_one=cipher("acme-rot"))
    install("acme-two", "[tegmen.ciphers]\nacme-rot = acme_two\n", acme_two=cipher("acme-rot"))
    assert Registry([Allowed("acme_two", "ACME.two")]).cipher("acme-rot")
    assert "acme_one" not in sys.modules
    listed = Registry([Allowed("acme_two")]).listing()
    problems = {entry.distribution: entry.problem for entry in listed}
    assert problems["acme-two"] is None
    assert "outside the allow-list" in (problems["acme-one"] or "")


def test_one_module_claimed_by_two_distributions_is_a_conflict(install: Install) -> None:
    for name in ("acme-one", "acme-two"):
        install(name, "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    with pytest.raises(PluginConflict):
        Registry([Allowed("acme_rot")]).cipher("acme-rot")


def test_one_distribution_met_twice_on_the_path_is_no_conflict(install: Install) -> None:
    points = "[tegmen.ciphers]\nacme-rot = acme_rot\n"
    install("acme-rot", points, folder="wheel", acme_rot=cipher("acme-rot"))
    install("Acme_Rot", points, folder="editable")
    assert Registry().cipher("acme-rot").info.name == "acme-rot"
    assert [entry.name for entry in Registry().listing()].count("acme-rot") == 1


def test_two_versions_of_a_distribution_that_name_different_modules_conflict(
    install: Install,
) -> None:
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_old\n", "1.0", acme_old="")
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_new\n", "2.0", acme_new="")
    with pytest.raises(PluginConflict, match=r"acme-rot 2\.0 .* and acme-rot 1\.0"):
        Registry().cipher("acme-rot")


@pytest.mark.parametrize(
    ("allowed", "loads"),
    [
        (Allowed("acme_rot"), True),
        (Allowed("acme_rot", "Acme_Rot"), True),
        (Allowed("acme_rot", "other"), False),
        (Allowed("acme_ro"), False),
        (Allowed("acme_rot.inner"), False),
        (None, False),
    ],
)
def test_only_what_the_allow_list_covers_is_loaded(
    install: Install, allowed: Allowed | None, loads: bool
) -> None:
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    registry = Registry([allowed] if allowed else [])
    assert ("acme-rot" in registry.names("ciphers")) is loads
    if loads:
        assert registry.cipher("acme-rot")
        return
    with pytest.raises(PluginNotAllowed, match=r"acme-rot 1\.0 \(module acme_rot\)"):
        registry.cipher("acme-rot")
    assert "acme_rot" not in sys.modules


FOREIGN = "raise SystemExit('a foreign module was imported')"


def test_an_allow_list_with_a_distribution_takes_no_module_of_another_origin(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "acme_rot.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(str(tmp_path / "shadow"))
    with pytest.raises(PluginNotAllowed, match="from a file that is not known to be of acme-rot"):
        Registry([Allowed("acme_rot", "acme-rot")]).cipher("acme-rot")
    assert "acme_rot" not in sys.modules
    with pytest.raises(PluginBroken, match="foreign"):  # no distribution was asked for
        Registry([Allowed("acme_rot")]).cipher("acme-rot")


def test_a_distribution_without_a_list_of_files_decides_nothing(install: Install) -> None:
    points = "[tegmen.ciphers]\nacme-rot = acme_rot\n"
    site = install("acme-rot", points, acme_rot=cipher("acme-rot"))
    (site / "acme_rot-1.0.dist-info" / "RECORD").unlink()
    with pytest.raises(PluginNotAllowed):
        Registry([Allowed("acme_rot", "acme-rot")]).cipher("acme-rot")
    assert Registry([Allowed("acme_rot")]).cipher("acme-rot")


@pytest.mark.parametrize(("folder", "loads"), [("project", True), ("elsewhere", False)])
def test_in_an_editable_installation_the_projects_files_belong(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, loads: bool
) -> None:
    site = install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_space.rot\n")
    about = {"url": (tmp_path / "project").as_uri(), "dir_info": {"editable": True}}
    (site / "acme_rot-1.0.dist-info" / "direct_url.json").write_text(json.dumps(about))
    package = tmp_path / folder / "src" / "acme_space"  # a namespace package
    package.mkdir(parents=True)
    (package / "rot.py").write_text(cipher("acme-rot"))
    monkeypatch.syspath_prepend(str(package.parent))
    registry = Registry([Allowed("acme_space.rot", "acme-rot")])
    if loads:
        assert registry.cipher("acme-rot")
        return
    with pytest.raises(PluginNotAllowed):
        registry.cipher("acme-rot")
    assert "acme_space.rot" not in sys.modules


def test_an_unknown_name_says_what_may_be_meant(install: Install) -> None:
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    with pytest.raises(PluginNotFound, match="no cipher 'acme-rott' is installed") as caught:
        Registry().cipher("acme-rott")
    assert caught.value.hint == 'did you mean "acme-rot"?'
    with pytest.raises(PluginNotFound):
        Registry().source("acme-rot")


BROKEN = {
    "raises": ("raise ValueError('boom')", "ValueError: boom"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def", "SyntaxError"),
    "silent": ("", "its metadata offers that name, its hook 0 of them"),
    "other name": (cipher("acme-other"), "its hook 0 of them"),
    "twice": (
        cipher("acme-rot").replace("return [", "return 2 * ["),
        "its hook 2 of them",
    ),
    "no offers": (cipher("acme-rot").replace("return [", "return 5; ["), "TypeError"),
    "unknown hook": (
        cipher("acme-rot") + "@hooks.hookimpl\ndef tegmen_cyphers(): return []",
        "unknown hook 'tegmen_cyphers'",
    ),
    "wrong arguments": (
        cipher("acme-rot").replace("tegmen_ciphers()", "tegmen_ciphers(config)"),
        "PluginValidationError",
    ),
    "hook raises": (cipher("acme-rot").replace("return [", "1 / 0; ["), "ZeroDivisionError"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_a_typed_error_and_listing_survives_it(
    install: Install, kind: str
) -> None:
    code, reason = BROKEN[kind]
    points = "[tegmen.ciphers]\nacme-rot = acme_rot\nacme-good = acme_good\n"
    install("acme-rot", points, acme_rot=code, acme_good=cipher("acme-good"))
    registry = Registry()
    with pytest.raises(PluginBroken) as caught:
        registry.cipher("acme-rot")
    assert "acme-rot 1.0" in str(caught.value)
    assert reason in str(caught.value)
    assert registry.cipher("acme-good")
    listed = {entry.name: entry for entry in registry.listing(load=True)}
    assert reason in (listed["acme-rot"].problem or "")
    assert listed["acme-good"].problem is None
    assert listed["acme-good"].needs == "patience"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (cipher("acme-rot").replace('CipherInfo("acme-rot"', 'CipherInfo("aes"'), "'aes'"),
        (cipher("acme-rot").replace("Rot()", "None"), "AttributeError"),
        (cipher("acme-rot").replace("Rot()", "1 / 0"), "ZeroDivisionError"),
        (cipher("acme-rot").replace("Rot()", "__import__('acme_no_such')"), "acme_no_such"),
    ],
)
def test_what_is_made_must_work_and_be_what_it_is_called(
    install: Install, code: str, reason: str
) -> None:
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=code)
    with pytest.raises(PluginBroken, match=reason):
        Registry().cipher("acme-rot")


def test_the_plugins_own_typed_errors_pass(install: Install) -> None:
    code = STORE.replace(
        "self.options, self.base = options, base",
        "from tegmen.errors import StoreUnavailable; raise StoreUnavailable('down')",
    )
    install("acme", "[tegmen.keystores]\nacme-store = acme_store\n", acme_store=code)
    with pytest.raises(StoreUnavailable, match="down"):
        Registry().keystore("acme-store", {"path": "x"}, Path())


def test_a_missing_dependency_names_the_extra_that_brings_it(install: Install) -> None:
    more = (
        "Provides-Extra: fast\nProvides-Extra: acme-rot\n"
        'Requires-Dist: acme-No.such>=2; extra == "fast"\n'
    )
    install(
        "acme-rot",
        "[tegmen.ciphers]\nacme-rot = acme_rot\nacme-bare = acme_bare\n",
        more=more,
        acme_rot="import acme_other_thing",
        acme_bare="import acme_no_such.inner",
    )
    with pytest.raises(PluginBroken, match="the module acme_no_such is not installed") as caught:
        Registry().cipher("acme-bare")
    assert caught.value.hint == 'run: pip install "acme-rot[fast]"'
    with pytest.raises(PluginBroken) as caught:
        Registry().cipher("acme-rot")
    assert caught.value.hint == 'run: pip install "acme-rot[acme-rot]"'


@pytest.mark.parametrize("value", ["acme_rot:Rot", "acme rot", "", "-"])
def test_an_entry_point_that_names_no_module_is_a_problem(install: Install, value: str) -> None:
    install("acme-rot", f"[tegmen.ciphers]\nacme-rot = {value}\n", acme_rot=cipher("acme-rot"))
    listed = {entry.name: entry.problem for entry in Registry().listing()}
    assert "must name a module" in (listed["acme-rot"] or "")
    with pytest.raises(PluginBroken, match="must name a module"):
        Registry().cipher("acme-rot")


def test_a_group_that_does_not_exist_is_listed_as_a_problem(install: Install) -> None:
    install("acme-rot", "[tegmen.cipher]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    listed = {entry.name: entry.problem for entry in Registry().listing(load=True)}
    assert 'no group tegmen.cipher; did you mean "ciphers"?' in (listed["acme-rot"] or "")


@pytest.mark.parametrize("content", [b"[tegmen.ciphers]\n\xff\xfe = x\n", b"[tegmen.ciphers]\nx\n"])
def test_damaged_metadata_hides_no_other_plugin(install: Install, content: bytes) -> None:
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    site = install("acme-bad", "")
    (site / "acme_bad-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    (site / "acme_bad-1.0.dist-info" / "METADATA").unlink()
    registry = Registry()
    assert registry.cipher("acme-rot")
    damaged = [entry for entry in registry.listing(load=True) if not entry.group]
    assert [Path(entry.distribution).name for entry in damaged] == ["acme_bad-1.0.dist-info"]
    assert "its metadata cannot be read" in (damaged[0].problem or "")


def test_commands_are_listed_without_import_and_made_on_demand(install: Install) -> None:
    code = (
        "import click, tegmen.hooks as hooks\nfrom tegmen.interfaces import Offer\n"
        "@click.command('acme-hello')\ndef hello(): pass\n"
        "@hooks.hookimpl\ndef tegmen_commands():\n"
        "    return [Offer('acme-hello', lambda options, base: hello)]\n"
    )
    install("acme", "[tegmen.commands]\nacme-hello = acme_command\n", acme_command=code)
    registry = Registry()
    assert registry.names("commands") == ["acme-hello"]
    assert [e.module for e in registry.listing() if e.group == "commands"] == ["acme_command"]
    assert "acme_command" not in sys.modules
    assert isinstance(registry.command("acme-hello"), click.Command)


def test_modules_are_loaded_once_and_things_are_made_each_time(install: Install) -> None:
    code = STORE + "\nimport threading\nTHREADS = threading.get_ident()\n"
    install("acme", "[tegmen.keystores]\nacme-store = acme_store\n", acme_store=code)
    registry = Registry()
    made = []
    threads = [
        threading.Thread(
            target=lambda: made.append(registry.keystore("acme-store", {"path": "x"}, Path()))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(store) for store in made}) == 8
    assert len({type(store) for store in made}) == 1


def test_entry_points_are_read_once_per_registry(install: Install) -> None:
    registry = Registry()
    before = registry.names("ciphers")
    install("acme-rot", "[tegmen.ciphers]\nacme-rot = acme_rot\n", acme_rot=cipher("acme-rot"))
    assert registry.names("ciphers") == before
    assert "acme-rot" in Registry().names("ciphers")
