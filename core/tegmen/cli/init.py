"""`tegmen init`: a configuration, a key store for every day, and a recovery key to take away."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from importlib.resources import files as resources
from pathlib import Path
from string import Template

import click
from attrs import asdict, frozen

from tegmen.cli.jobs import within
from tegmen.cli.keys import named_keys
from tegmen.cli.settings import DEFAULT_CONFIG, Settings, common, pass_settings
from tegmen.errors import OutputError, OutputExists, PluginBroken
from tegmen.interfaces import Initialiser, Rotator
from tegmen.profile import load, loads
from tegmen.sealer import Sealer

WORDS = """\
Made:
  {config}
      what protects which image: read it, change it
  {public}
      seals for the recovery key; it is no secret
  {keys}
      the key store "hospital": seals and opens, every day
  {recovery}
      the private recovery key: opens everything, and is needed only in an emergency

Do now:
  1. Move {recovery}
     to a medium that you then disconnect, make a second copy of it, and keep the two in
     different places. Sealing goes on without it.
  2. Have {keys}
     backed up, but not to where the images are kept.
  3. Run: tegmen -c {config} doctor

What this means:
  - Either of the two opens every image. If both are lost, every sealed image is lost for good,
    and nobody can help, not the makers of tegmen either.
  - Whoever gets hold of either can open every image. As long as the recovery key is on this
    computer, a thief of this computer has both.
  - Sealed images hold neither of them, so they may be kept anywhere.
"""


@frozen
class Places:
    """Where everything goes; nothing of it may be there yet.

    Attributes:
        config: the configuration.
        public: the public recovery key.
        keys: folder of the daily key store.
        recovery: folder of the private recovery key, to be taken away.
    """

    config: str
    public: str
    keys: str
    recovery: str

    @property
    def home(self) -> str:
        """The folder that the user named."""
        return os.path.dirname(self.config)


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@click.option("--keys", metavar="PATH", help="Folder for the keys; DIR-keys if not given.")
@click.option(
    "--recovery",
    metavar="PATH",
    help="Folder for the private recovery key, best on the medium that it stays on; "
    "DIR-recovery if not given.",
)
@common
@pass_settings
def command(settings: Settings, folder: str, keys: str | None, recovery: str | None) -> None:
    """Make a configuration, a key store and a recovery key, and say what to do with them.

    DIR gets tegmen.toml, whose profiles and rules are explained in it. Secrets never go into
    DIR, which may hold images. Nothing that exists is changed.

    \b
    Examples:
      tegmen init my-hospital
      tegmen init . --keys /srv/tegmen-keys --recovery /media/usb/tegmen-recovery
    """
    if settings.config is not None:
        raise click.UsageError(f"init writes DIR/{DEFAULT_CONFIG}; leave -c out")
    places = places_in(folder, keys, recovery)
    make(places)
    if settings.json:
        settings.screen.document(asdict(places))
    settings.screen.note(WORDS.format(**asdict(places)))


def make(places: Places) -> None:
    """Make everything, or nothing.

    Raises:
        OutputExists: some of it is there already.
        OutputError, KeyStoreError: it cannot be made.
    """
    for path in asdict(places).values():
        if os.path.lexists(path):
            raise OutputExists(
                f"{path} exists; nothing was changed", hint="take another DIR, or move it away"
            )
    with ExitStack() as undo:
        _make_folders(places, undo)
        check_value = _make_keys(places, undo)
        _write(places.config, _text(places, check_value), undo)
        load(places.config)  # it must be as good as what every later command asks for
        undo.pop_all()


def places_in(folder: str, keys: str | None = None, recovery: str | None = None) -> Places:
    """Where everything goes for the folder that the user named.

    Raises:
        click.UsageError: secrets would lie with images, or with each other.
    """
    home = os.path.abspath(folder)
    if not os.path.basename(home):
        raise click.UsageError("DIR must have a name: keys go into folders beside it")
    places = Places(
        config=os.path.join(home, DEFAULT_CONFIG),
        public=os.path.join(home, "recovery-public.pem"),
        keys=os.path.abspath(keys or f"{home}-keys"),
        recovery=os.path.abspath(recovery or f"{home}-recovery"),
    )
    for path in (places.keys, places.recovery):
        if within(os.path.realpath(path), os.path.realpath(home)):
            raise click.UsageError(f"{path} lies in {home}, and keys must not lie with images")
    if os.path.realpath(places.keys) == os.path.realpath(places.recovery):
        raise click.UsageError("the keys and the recovery key need folders of their own")
    return places


def _make_folders(places: Places, undo: ExitStack) -> None:
    try:
        if not os.path.isdir(places.home):
            os.makedirs(places.home, 0o755)
            undo.callback(os.rmdir, places.home)
        for folder in (places.keys, places.recovery):
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.mkdir(folder, 0o700)
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"cannot make {error.filename}: {error.strerror}") from error


def _make_keys(places: Places, undo: ExitStack) -> str:
    """Both key stores and their keys; the key-check value of the recovery key."""
    text = _text(places, "").replace('check-value = ""\n', "")  # known once there is a key
    sealer = Sealer(loads(text, Path(places.home), places.config))
    undo.callback(Path(places.public).unlink, missing_ok=True)
    for alias in sealer.config.stores:
        store = sealer.store(alias)
        if not isinstance(store, Initialiser):
            raise PluginBroken(f"a key store of kind {store.kind} cannot be made from here")
        store.initialise()
        if isinstance(store, Rotator):
            for key_id in named_keys(sealer.config, alias):
                store.create(key_id)
    _write(os.path.join(places.recovery, "READ-ME.txt"), _template("recovery.txt"), undo)
    return sealer.store("recovery").describe("recovery").check_value.hex()


def _text(places: Places, check_value: str) -> str:
    """The configuration."""
    return Template(_template("hospital.toml")).substitute(
        store=_toml(places, places.keys, "store"),
        store_key=_toml(places, places.keys, "store.key"),
        private_key=_toml(places, places.recovery, "recovery-private.pem"),
        check_value=check_value,
    )


def _template(name: str) -> str:
    return (resources("tegmen.cli") / "templates" / name).read_text(encoding="utf-8")


def _toml(places: Places, folder: str, name: str) -> str:
    """A path as a TOML string; relative when the folder is beside DIR, so that all can move."""
    path = os.path.join(folder, name)
    if os.path.dirname(folder) == os.path.dirname(places.home):
        path = os.path.join("..", os.path.basename(folder), name)
    if not path.isprintable():
        raise click.UsageError(f"the path {path!r} cannot be written in a configuration")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(path: str, text: str, undo: ExitStack) -> None:
    from tegmen.files import writing

    with writing(path, mode=0o644) as sink:
        sink.write(text.encode())
    undo.callback(Path(path).unlink, missing_ok=True)
