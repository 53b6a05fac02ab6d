"""What a configuration must hold beyond its types: names, references, rules that can be reached."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from tegmen.problem import Problem, Where, did_you_mean, shown

if TYPE_CHECKING:
    from tegmen.profile import Conditions, Config, Policy, Profile, Rule

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
KEY_ID: Final = re.compile(r"(?!.*(\.\.|//))[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,255}")
CONTEXT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
MAX_RECIPIENTS: Final = 32
"""As many as a sealed object has slots."""


def problems(config: Config) -> Iterator[Problem]:
    """Everything that is wrong with a configuration whose types are right."""
    yield from _duplicates(config.sources, ("sources",))
    if not config.sources:
        yield Problem(("sources",), "is empty", 'the last one takes anything: ["file"]')
    for alias in config.stores:
        yield from _named(alias, ("stores", alias))
    for name in config.audit:
        yield from _named(name, ("audit", name))
    yield from _duplicates(config.open_with, ("open-with",))
    for index, opener in enumerate(config.open_with):
        yield from _known(opener.store, config.stores, ("open-with", index), "store")
    yield from _policy(config)
    for profile in config.profiles.values():
        yield from _profile(config, profile)
    yield from _rules(config)


def _named(name: str, where: Where) -> Iterator[Problem]:
    if not NAME.fullmatch(name):
        yield Problem(where, f"{shown(name)} is not a name: a-z, 0-9 and -, at most 64")


def _duplicates(names: Iterable[object], where: Where) -> Iterator[Problem]:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            yield Problem(where, f"{shown(str(name))} is there twice")
        seen.add(name)


def _known(name: str, known: Iterable[str], where: Where, what: str) -> Iterator[Problem]:
    if name not in known:
        yield Problem(where, f"there is no {what} {shown(name)}", did_you_mean(name, known))


# --------------------------------------------------------------------------- policy


def _policy(config: Config) -> Iterator[Problem]:
    policy = config.policy
    yield from _named(policy.name, ("policy", "name"))
    for store in policy.floor.require_stores:
        where = ("policy", "floor", "require-stores")
        yield from _known(store, config.stores, where, "store")
    yield from _cipher_lists(policy)


def _cipher_lists(policy: Policy) -> Iterator[Problem]:
    for cipher in policy.identify_only:
        if cipher in (*(policy.seal or ()), *(policy.open or ())):
            where = ("policy", "identify-only")
            yield Problem(where, f"{shown(cipher)} is also among those that may seal or open")
    for cipher in policy.seal or ():
        if policy.open is not None and cipher not in policy.open:
            hint = f"add {shown(cipher)} to open: what is sealed must be opened one day"
            yield Problem(("policy", "seal"), f"{shown(cipher)} may seal but not open", hint)


# --------------------------------------------------------------------------- profiles


def _profile(config: Config, profile: Profile) -> Iterator[Problem]:
    where = ("profiles", profile.name)
    yield from _named(profile.name, where)
    yield from _recipients(config, profile, (*where, "recipients"))
    yield from _context(profile, where)
    for plugin in profile.options:
        known = (profile.cipher, profile.carrier)
        if plugin not in known:
            text = "is neither the cipher nor the carrier of this profile"
            yield Problem((*where, "options", plugin), text, did_you_mean(plugin, known))


def _recipients(config: Config, profile: Profile, where: Where) -> Iterator[Problem]:
    count = len(profile.recipients)
    if not 1 <= count <= MAX_RECIPIENTS:
        text = f"{count} of them, and it must be 1 to {MAX_RECIPIENTS}"
        yield Problem(where, text, "without one, nobody could open what is sealed")
    yield from _duplicates(profile.recipients, where)
    for index, recipient in enumerate(profile.recipients):
        yield from _known(recipient.store, config.stores, (*where, index), "store")
        if not KEY_ID.fullmatch(recipient.key_id):
            yield Problem((*where, index), f"{shown(recipient.key_id)} is not a key's name")


def _context(profile: Profile, where: Where) -> Iterator[Problem]:
    for name in (*profile.context, *profile.public):
        if not CONTEXT_NAME.fullmatch(name):
            text = f"{shown(name)} is not a name: letters, digits, . _ -, at most 64"
            yield Problem((*where, "context"), text)
    for name, value in profile.public.items():
        if name in profile.context:
            text = "is also in context: what opening needs is not stored in clear"
            yield Problem((*where, "public", name), text)
        if not unicodedata.is_normalized("NFC", value):
            yield Problem((*where, "public", name), "is not in Unicode normal form C")


# --------------------------------------------------------------------------- rules


def _rules(config: Config) -> Iterator[Problem]:
    yield from _duplicates([rule.name for rule in config.rules], ("rules",))
    for index, rule in enumerate(config.rules):
        yield from _rule(config, rule, ("rules", index))
    if not config.rules or _conditional(config.rules[-1]):
        hint = 'end with a [[rules]] of name = "everything-else" and use = "..." or deny = "..."'
        yield Problem(("rules",), "the last rule must have no conditions", hint)
    yield from _unreachable(config.rules)


def _conditional(rule: Rule) -> bool:
    return bool(rule.found or rule.declared)


def _rule(config: Config, rule: Rule, where: Where) -> Iterator[Problem]:
    yield from _named(rule.name, (*where, "name"))
    if (rule.use is None) == (rule.deny is None):
        yield Problem(where, "must have one of use and deny, and only one")
    if rule.use is not None:
        yield from _known(rule.use, config.profiles, (*where, "use"), "profile")
    elif rule.tier is not None:
        yield Problem((*where, "tier"), "means nothing in a rule that denies")
    for attribute, patterns in rule.found.items():
        if any("\\" in pattern for pattern in patterns):
            text = "a condition is about one value; several, between backslashes, are tried singly"
            yield Problem((*where, "found", attribute), text)


def _unreachable(rules: tuple[Rule, ...]) -> Iterator[Problem]:
    for index, rule in enumerate(rules):
        for earlier in rules[:index]:
            if _covers(earlier.found, rule.found) and _covers(earlier.declared, rule.declared):
                text = f"unreachable rule {shown(rule.name)}: {shown(earlier.name)} before it"
                yield Problem(("rules", index), f"{text} takes all it could match")
                break


def _covers(earlier: Conditions, later: Conditions) -> bool:
    """Whether all that matches the later conditions matches the earlier ones, seen simply."""
    return all(
        all(any(_within(pattern, wide) for wide in patterns) for pattern in later.get(name, ("",)))
        and name in later
        for name, patterns in earlier.items()
    )


def _within(pattern: str, wide: str) -> bool:
    if pattern == wide or wide.strip("*") == "" != wide:
        return True
    return not any(mark in pattern for mark in "*?[") and fnmatchcase(pattern, wide)
