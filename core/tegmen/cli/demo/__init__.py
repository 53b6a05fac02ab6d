"""`tegmen demo`: the main job on real images, with keys of its own, told in plain words."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from attrs import asdict, frozen

from tegmen.cli.demo import needs, samples, story
from tegmen.cli.demo.words import Narrator
from tegmen.cli.init import make, places_in
from tegmen.cli.settings import Settings, common, pass_settings
from tegmen.errors import IntegrityError, OutputError, OutputExists
from tegmen.sealer import Sealer

PICTURE = "before-and-after.png"


@click.command("demo")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("-o", "--output", metavar="DIR", help="A new folder; by default a temporary one.")
@common
@pass_settings
def command(settings: Settings, file: str | None, output: str | None) -> None:
    """Seal real images, look at them as a PACS would, restore them, attack them.

    Without FILE it takes a CT, an MR and an ultrasound with many frames that are installed with
    it. It makes keys of its own, and touches neither yours nor your configuration. Everything
    stays in one folder for you to look at.

    \b
    Examples:
      tegmen demo
      tegmen demo my-image.dcm -o demo/
    """
    if settings.config is not None:
        raise click.UsageError("the demo has a configuration of its own; leave -c out")
    needs.check()
    with _folder(output) as folder:
        told = _Demo(folder, Narrator(settings.quiet or settings.json)).run(file)
    if settings.json:
        settings.screen.document(told)
    if not told["as_promised"]:
        raise IntegrityError("something did not come out as tegmen promises", hint="report it")


@contextmanager
def _folder(output: str | None) -> Iterator[str]:
    """A folder that only its owner can look into; it goes if the block fails."""
    folder = _new_folder(output) if output else tempfile.mkdtemp(prefix="tegmen-demo-")
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _new_folder(path: str) -> str:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        raise OutputExists(f"{path} exists", hint="name a new folder after -o") from None
    except OSError as error:
        raise OutputError(f"cannot make {path}: {error.strerror}") from error
    return path


@frozen
class _Demo:
    """One telling of the story, all of it in `folder`."""

    folder: str
    narrator: Narrator

    def run(self, file: str | None) -> dict[str, object]:
        """Tell it; what happened, for a program."""
        originals = self._make("originals")
        chosen = samples.given(file, originals) if file else samples.shipped(originals)
        self.narrator.begin(len(chosen))
        ours, seconds = story.timed(lambda: self._installation("hospital"))
        self.narrator.made(seconds)
        sealed = story.seal(ours, chosen, self._make("sealed"))
        self.narrator.sealed(sealed)
        picture, seconds = story.timed(lambda: self._draw(sealed))
        self.narrator.drawn(picture, seconds)
        opened = self._make("opened")
        restored = [story.restore(ours, one, opened) for one in sealed]
        self.narrator.restored(restored)
        recovered = self._recover(sealed[0])
        self.narrator.recovered(recovered)
        refusals = story.attacks(ours, self._installation("another-hospital"), sealed)
        self.narrator.attacked(refusals)
        self.narrator.end(self.folder)
        return self._document(picture, sealed, [*restored, recovered], refusals)

    def _make(self, name: str) -> str:
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        return path

    def _installation(self, name: str) -> Sealer:
        """A configuration with keys, as `tegmen init` makes it."""
        places = places_in(os.path.join(self.folder, name))
        make(places)
        return Sealer.from_file(places.config)

    def _recover(self, sealed: story.Sealed) -> story.Restored:
        """Open one without the daily keys, in a process that never saw them."""
        places = places_in(os.path.join(self.folder, "hospital"))
        with story.away(places.keys):
            alone = Sealer.from_file(places.config)
            return story.restore(alone, sealed, self._make("recovered"))

    def _draw(self, sealed: Sequence[story.Sealed]) -> str:
        from tegmen.cli.demo import picture

        path = os.path.join(self.folder, PICTURE)
        picture.of(sealed).save(path)
        return path

    def _document(
        self,
        picture: str,
        sealed: Sequence[story.Sealed],
        restored: Sequence[story.Restored],
        refusals: Sequence[story.Refusal],
    ) -> dict[str, object]:
        return {
            "as_promised": all(one.identical for one in restored)
            and all(one.error for one in refusals),
            "folder": self.folder,
            "picture": picture,
            "sealed": [{"seconds": one.seconds, **asdict(one.receipt)} for one in sealed],
            "restored": [asdict(one) for one in restored],
            "refused": [
                {"tried": one.tried, "answer": one.answer, "exit_code": one.exit_code}
                for one in refusals
            ],
        }
