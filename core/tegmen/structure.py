"""Tables of a configuration, read strictly into attrs classes: nothing unknown, nothing coerced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import attrs

from tegmen.errors import TegmenError
from tegmen.problem import Mismatch, Problem, Where, config_error, did_you_mean, shown

if TYPE_CHECKING:
    from cattrs import Converter
    from cattrs.errors import BaseValidationError

MAX_DEPTH: Final = 16
READ: Final = "tegmen.structure"
REST: Final = "tegmen.structure.rest"

NOT_IN_TABLE: Final = MappingProxyType({READ: MappingProxyType({"omit": True})})
"""Metadata of an attrs field that is no key of the table."""

REST_OF_TABLE: Final = MappingProxyType({REST: True})
"""Metadata of an attrs field for all the keys that no other field is for."""

T = TypeVar("T")


class Table(dict[str, Any]):
    """A table of the configuration that remembers where it stands, for messages."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        super().__init__(values)
        self.where = where


def structure(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Read a table into an attrs class.

    Keys are the attributes' names with hyphens for underscores. Understood are strings,
    integers, numbers, booleans, paths (`~` is the user's home), `Literal`, unions, tuples and
    lists of one type, mappings from strings, `Any` (what TOML holds, dates left out) and attrs
    classes of these.
    The value of an attribute with `repr=False` is a secret and is never shown.

    Args:
        cls: the attrs class.
        values: what `tomllib` made of the table.
        where: how messages begin; that of a `Table` when empty.

    Raises:
        ConfigError: says, for each problem, where, what value and what was expected.
    """
    from cattrs.errors import BaseValidationError

    try:
        return _converter().structure(values, cls)
    except (BaseValidationError, Mismatch) as error:
        where = where or getattr(values, "where", "")
        found = list(_problems(error, ()))
    raise config_error(where, found)  # without its cause, which may show a secret


def reads(read: Callable[[Any], Any]) -> dict[str, Any]:
    """Metadata of an attrs field whose value `read` takes from TOML; it raises Mismatch."""
    return {READ: {"struct_hook": lambda value, _: read(value)}}


def integer(low: int, high: int) -> Callable[[Any], int]:
    """Reads an integer from `low` to `high`."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise Mismatch(value, f"an integer from {low} to {high}")
        return value

    return read


# --------------------------------------------------------------------------- reading


@cache  # of the code that cattrs generates
def _converter() -> Converter:
    from cattrs import Converter
    from cattrs.cols import (
        homogenous_tuple_structure_factory,
        is_mapping,
        is_sequence,
        list_structure_factory,
    )

    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook_func(_is_any, _plain)
    converter.register_structure_hook_func(_is_literal, _literal)
    for is_kind, factory, wanted in (
        (is_mapping, _mapping_hook, Mapping),
        (is_sequence, list_structure_factory, list),
        (_is_tuple, homogenous_tuple_structure_factory, list),
        (attrs.has, _class_hook, Mapping),
    ):
        converter.register_structure_hook_factory(is_kind, _only(wanted, factory))
    converter.register_structure_hook_factory(_is_union, _union_hook)
    return converter


def _string(value: Any, _: Any) -> str:
    if type(value) is not str:
        raise Mismatch(value, "a string")
    return value


def _boolean(value: Any, _: Any) -> bool:
    if type(value) is not bool:
        raise Mismatch(value, "true or false")
    return value


def _integer(value: Any, _: Any) -> int:
    if type(value) is not int or value.bit_length() > 63:  # bool is an int for isinstance
        raise Mismatch(value, "an integer")
    return value


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise Mismatch(value, "a number")
    return float(value)


def _path(value: Any, _: Any) -> Path:
    if type(value) is not str or not value or "\0" in value:
        raise Mismatch(value, "a path")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise Mismatch(value, "a path: there is no such home") from None


def _literal(value: Any, cls: Any) -> Any:
    choices = get_args(cls)
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        hint = did_you_mean(value, map(str, choices)) if isinstance(value, str) else ""
        raise Mismatch(value, f"one of {', '.join(map(shown, choices))}", hint)
    return value


def _plain(value: Any, _: Any, depth: int = MAX_DEPTH) -> Any:
    """What every plugin can be given: all that TOML holds, dates and huge integers left out."""
    if isinstance(value, (list, Mapping)):
        if not depth:
            raise Mismatch(value, f"nested at most {MAX_DEPTH} deep")
        for entry in value.values() if isinstance(value, Mapping) else value:
            _plain(entry, _, depth - 1)
    elif type(value) is int:
        _integer(value, _)
    elif type(value) not in (str, bool, float):
        raise Mismatch(value, "a string, a number, a boolean, a list or a table")
    return value


def _is_any(cls: Any) -> bool:
    return bool(cls is Any)


def _is_literal(cls: Any) -> bool:
    return bool(get_origin(cls) is Literal)


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple and get_args(cls)[-1] is ...


def _is_union(cls: Any) -> bool:
    return get_origin(cls) in (Union, UnionType)


def _only(wanted: type, factory: Callable[..., Any]) -> Callable[[Any, Converter], Any]:
    """The hooks of `factory`, asked only for values of the right form: cattrs takes any."""

    def guarded(cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
        hook = factory(cls, converter)

        def read(value: Any, cls: Any) -> Any:
            if not isinstance(value, wanted):
                raise Mismatch(value, "a list" if wanted is list else "a table")
            return hook(value, cls)

        return read

    return guarded


def _mapping_hook(cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    from cattrs.cols import mapping_structure_factory

    return mapping_structure_factory(cls, converter, structure_to=dict)


def _class_hook(cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    from cattrs.gen import make_dict_structure_fn, override

    overrides: dict[str, Any] = {}
    for attribute in attrs.fields(cls):
        how = {"rename": _key(attribute.name), **attribute.metadata.get(READ, {})}
        overrides[attribute.name] = override(**how)
    hook = make_dict_structure_fn(cls, converter, **overrides)
    rest = [field.name for field in attrs.fields(cls) if REST in field.metadata]
    return _with_rest(hook, rest[0], _keys(cls)) if rest else hook


def _with_rest(hook: Callable[[Any, Any], Any], rest: str, known: list[str]) -> Any:
    def read(value: Any, cls: Any) -> Any:
        own = {key: value[key] for key in known if key in value}
        own[_key(rest)] = {key: value[key] for key in value if key not in own}
        return hook(own, cls)

    return read


def _union_hook(cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    from cattrs.errors import BaseValidationError

    members = [member for member in get_args(cls) if member is not type(None)]

    def read(value: Any, _: Any) -> Any:
        expected = []
        for member in members:
            try:
                return converter.structure(value, member)
            except Mismatch as error:
                expected.append(error)
            except BaseValidationError:  # right in form, wrong within: it is the one meant
                raise
        if len(expected) == 1:
            raise expected[0]
        raise Mismatch(value, " or ".join(error.expected for error in expected))

    return read


# --------------------------------------------------------------------------- what was wrong


def _key(name: str) -> str:
    return name.replace("_", "-")


def _keys(cls: type) -> list[str]:
    """The keys of its table that it reads itself."""
    fields = [field for field in attrs.fields(cls) if field.init and REST not in field.metadata]
    return [_key(field.name) for field in fields if "omit" not in field.metadata.get(READ, {})]


def _problems(error: Exception, where: Where, secret: bool = False) -> Iterator[Problem]:
    """What cattrs collected, flattened."""
    from cattrs.errors import BaseValidationError

    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            step, hidden = _step(error, inner)
            yield from _problems(inner, (*where, *step), secret or hidden)
    else:
        yield from _problem(error, where, secret)


def _step(group: BaseValidationError, error: Exception) -> tuple[Where, bool]:
    """Which key of the group's value the error is about, and whether its value is secret."""
    from cattrs.errors import AttributeValidationNote, IterableValidationNote

    for note in getattr(error, "__notes__", ()):
        if isinstance(note, IterableValidationNote):
            return (note.index,), False
        if isinstance(note, AttributeValidationNote):
            field = attrs.fields_dict(group.cl)[note.name]
            return () if REST in field.metadata else (_key(note.name),), not field.repr
    return (), False


def _problem(error: Exception, where: Where, secret: bool) -> Iterator[Problem]:
    from cattrs.errors import ForbiddenExtraKeysError

    if isinstance(error, ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields):
            yield Problem((*where, key), "unknown key", did_you_mean(key, _keys(error.cl)))
    elif isinstance(error, Mismatch):
        value = "the value" if secret else shown(error.value)
        where = (*where, *error.where)
        yield Problem(where, f"{value} is not {error.expected}", "" if secret else error.hint)
    elif isinstance(error, KeyError):
        yield Problem(where, "is missing")
    elif isinstance(error, TegmenError):
        yield Problem(where, str(error), error.hint)
    else:  # a validator or converter of the class; those of attrs name the field after the text
        secret |= any(isinstance(arg, attrs.Attribute) and not arg.repr for arg in error.args)
        text = "" if secret or not error.args else str(error.args[0])
        yield Problem(where, text or "the value is refused")
