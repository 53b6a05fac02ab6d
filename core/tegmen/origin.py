"""Whether a module that would be imported is a file that a certain distribution installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution


def belongs(module: str, distribution: str) -> bool:
    """Whether importing `module` would run files of `distribution`, and no others.

    Nothing of the module is run to find out. In an editable installation every file below the
    project's folder belongs. What cannot be decided does not belong.
    """
    from importlib.metadata import distributions

    try:
        found = list(distributions(name=distribution))
        return all(any(_holds(one, file) for one in found) for file in _files(module))
    except (ImportError, OSError, ValueError):
        return False


def _files(module: str) -> Iterator[Path]:
    """What `import module` runs, outermost package first: each is judged before the next one
    is looked for, as that imports it. Raises ModuleNotFoundError."""
    from importlib.util import find_spec

    names = module.split(".")
    for end in range(1, len(names) + 1):
        spec = find_spec(".".join(names[:end]))
        if spec is None or (spec.origin is None and end == len(names)):
            raise ModuleNotFoundError(module)
        if spec.origin is not None:  # a namespace package has no file
            yield Path(spec.origin).resolve()


def _holds(distribution: Distribution, file: Path) -> bool:
    project = _editable_folder(distribution)
    if project is not None and file.is_relative_to(project):
        return True
    return any(
        Path(str(distribution.locate_file(path))).resolve() == file
        for path in distribution.files or ()
        if path.name == file.name
    )


def _editable_folder(distribution: Distribution) -> Path | None:
    """The project's folder of an editable installation (PEP 610)."""
    import json
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    about = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not about.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(urlsplit(about["url"]).path)).resolve()
