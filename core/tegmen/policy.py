"""Attributes and rules to a decision, and the explanation of it; what may seal and open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from typing import Final

from attrs import frozen

from tegmen.errors import ConfigError, PolicyRefused
from tegmen.interfaces import Attributes, CipherInfo
from tegmen.problem import did_you_mean, shown
from tegmen.profile import Conditions, Config, Profile, Rule

EXPLICIT: Final = "-p"
"""What `Decision.rule` says when the caller named the profile; no rule can be called so."""

MAX_SHOWN: Final = 40


@frozen
class Step:
    """A rule that was tried. `why` says what did not match; empty when it matched."""

    rule: str
    matched: bool
    why: str = ""


@frozen
class Decision:
    """What to seal with, and why.

    Attributes:
        profile: the profile to use.
        rule: name of the rule that chose it, or `EXPLICIT`.
        steps: every rule that was tried, in order; with `EXPLICIT`, to see whether one denies.
        floor: what policy and floor asked for and got, a sentence each.
    """

    profile: Profile
    rule: str
    steps: tuple[Step, ...]
    floor: tuple[str, ...]


class Rules:
    """The rules of one configuration, compiled. Safe to use from several threads.

    Args:
        config: where they stand.
        cipher_info: what a cipher declares; asked once for each profile that is chosen.
    """

    def __init__(self, config: Config, cipher_info: Callable[[str], CipherInfo]) -> None:
        self._config = config
        self._cipher_info = cipher_info
        self._compiled = tuple(
            (rule, _compile(rule), Step(rule.name, True)) for rule in config.rules
        )
        self._passed: dict[tuple[str, str], tuple[str, ...]] = {}

    def decide(
        self, *, declared: Attributes, found: Attributes, profile: str | None = None
    ) -> Decision:
        """Choose the profile for an object.

        Args:
            declared: what the caller says about it.
            found: what its source read from it; `\\` separates several values.
            profile: named by the caller. It replaces what a rule would choose, and no more:
                a rule that denies, policy and floor still hold.

        Raises:
            PolicyRefused: a rule denies it, or policy or floor do not allow the profile.
            ConfigError: no profile has that name.
        """
        steps = []
        for rule, conditions, matched in self._compiled:
            for condition in conditions:
                why = condition.why_not(found, declared)
                if why:
                    steps.append(Step(rule.name, False, why))
                    break
            else:
                return self._matched(rule, (*steps, matched), profile)
        if profile is not None:
            return self._explicit(profile, tuple(steps))
        raise ConfigError(f"{self._config.where}: no rule matched, and the last one has conditions")

    def _explicit(self, name: str, steps: tuple[Step, ...]) -> Decision:
        profile = self._config.profiles.get(name)
        if profile is None:
            raise ConfigError(
                f"{self._config.where}: there is no profile {shown(name)}",
                hint=did_you_mean(name, self._config.profiles),
            )
        return Decision(profile, EXPLICIT, steps, self._check(profile, None))

    def _matched(self, rule: Rule, steps: tuple[Step, ...], named: str | None) -> Decision:
        try:
            return self._decision(rule, steps, named)
        except PolicyRefused as refused:
            refused.steps = steps
            raise

    def _decision(self, rule: Rule, steps: tuple[Step, ...], named: str | None) -> Decision:
        if rule.use is None:
            raise PolicyRefused(
                f'rule "{rule.name}" refuses to seal this: {rule.deny}',
                hint="tegmen explain shows which rules were tried",
            )
        if named is not None:
            return self._explicit(named, steps)
        profile = self._config.profiles[rule.use]
        return Decision(profile, rule.name, steps, self._check(profile, rule))

    def _check(self, profile: Profile, rule: Rule | None) -> tuple[str, ...]:
        """What policy and floor say, kept once they agreed: a profile does not change."""
        key = (profile.name, rule.name if rule else EXPLICIT)
        passed = self._passed.get(key)
        if passed is None:
            info = self._cipher_info(profile.cipher)
            for reason, hint in _objections(self._config, profile, info, rule):
                chosen = f'chosen by rule "{rule.name}"' if rule else "named by the caller"
                raise PolicyRefused(
                    f'profile "{profile.name}", {chosen}, may not seal: {reason}', hint=hint
                )
            passed = self._passed[key] = tuple(_notes(self._config, profile, info, rule))
        return passed


def may_open(config: Config, cipher: str) -> None:
    """Raises PolicyRefused when the policy does not let this cipher open anything."""
    policy = config.policy
    if cipher in policy.identify_only:
        raise PolicyRefused(
            f'cipher "{cipher}" may only be identified, under policy "{policy.name}"',
            hint="inspect tells what the object is; to open it, take the cipher off identify-only",
        )
    if policy.open is not None and cipher not in policy.open:
        raise PolicyRefused(
            f'cipher "{cipher}" may not open anything, under policy "{policy.name}"',
            hint=f"it may open: {', '.join(policy.open)}",
        )


# --------------------------------------------------------------------------- conditions


@frozen
class _Condition:
    """One attribute of one rule. DICOM separates the values of an attribute by backslashes."""

    name: str
    declared: bool
    exact: frozenset[str]
    matches: Callable[[str], object]
    expected: str

    def why_not(self, found: Attributes, declared: Attributes) -> str:
        """Why it does not match; empty when it does."""
        value = (declared if self.declared else found).get(self.name)
        if value is None:
            return f"{self.name} was not {'declared' if self.declared else 'found'}"
        if value in self.exact or any(map(self.matches, self._values(value))):
            return ""
        return f"{self.name} is {_shown(value)}, not {self.expected}"

    def _values(self, value: str) -> list[str]:
        return [value] if self.declared else value.split("\\")


def _compile(rule: Rule) -> tuple[_Condition, ...]:
    return (*_conditions(rule.found, False), *_conditions(rule.declared, True))


def _conditions(conditions: Conditions, declared: bool) -> Iterator[_Condition]:
    for name, patterns in conditions.items():
        yield _Condition(
            name=name,
            declared=declared,
            exact=frozenset(pattern for pattern in patterns if not set("*?[") & set(pattern)),
            matches=re.compile("|".join(map(translate, patterns))).match,
            expected=" or ".join(map(_shown, patterns)),
        )


def _shown(value: str) -> str:
    """A value as people write it, unless a terminal might obey it or it is long."""
    plain = value.isprintable() and 0 < len(value) <= MAX_SHOWN
    return value if plain else shown(value[:MAX_SHOWN])


# --------------------------------------------------------------------------- policy and floor


def _objections(
    config: Config, profile: Profile, info: CipherInfo, rule: Rule | None
) -> Iterator[tuple[str, str]]:
    """Reasons why the profile may not seal, and what to do about each."""
    yield from _cipher_objections(config, profile.cipher)
    yield from _tier_objections(config, info, rule)
    yield from _recipient_objections(config, profile)


def _cipher_objections(config: Config, cipher: str) -> Iterator[tuple[str, str]]:
    policy = config.policy
    if cipher in policy.identify_only:
        yield f'policy "{policy.name}" only identifies {cipher}', "choose another cipher"
    if policy.seal is not None and cipher not in policy.seal:
        allowed = ", ".join(policy.seal) or "none"
        yield f'policy "{policy.name}" does not seal with {cipher}', f"it seals with: {allowed}"
    if policy.open is not None and cipher not in policy.open:
        hint = "what is sealed must be opened one day: add it to open, or choose another cipher"
        yield f'policy "{policy.name}" could not open {cipher} again', hint


def _tier_objections(
    config: Config, info: CipherInfo, rule: Rule | None
) -> Iterator[tuple[str, str]]:
    policy = config.policy
    if info.tier not in policy.floor.tiers:
        yield (
            f'{info.name} is of tier {info.tier}, below the floor of policy "{policy.name}"',
            f"no rule can allow it; the floor allows: {', '.join(policy.floor.tiers) or 'none'}",
        )
    if info.tier not in policy.tiers and (rule is None or rule.tier != info.tier):
        yield (
            f"{info.name} is of tier {info.tier}, and nothing opted in to that",
            f'a rule opts in with tier = "{info.tier}"; read what the cipher is worth first',
        )


def _recipient_objections(config: Config, profile: Profile) -> Iterator[tuple[str, str]]:
    floor = config.policy.floor
    least = max(config.policy.min_recipients, floor.min_recipients)
    count = len(profile.recipients)
    if count < least:
        yield f"it has too few recipients: {count}, at least {least} wanted", "add the missing ones"
    missing = set(floor.require_stores) - {recipient.store for recipient in profile.recipients}
    for store in sorted(missing):
        yield f'it has no recipient in store "{store}"', f'add "{store}/..." to its recipients'


def _notes(config: Config, profile: Profile, info: CipherInfo, rule: Rule | None) -> Iterator[str]:
    policy = config.policy
    if info.tier in policy.tiers:
        yield f"{info.name} is of tier {info.tier}, which may seal"
    elif rule is not None:
        yield f'{info.name} is of tier {info.tier}, which rule "{rule.name}" opted in to'
    least = max(policy.min_recipients, policy.floor.min_recipients)
    yield f"recipients: {len(profile.recipients)}, at least {least} wanted"
    for store in policy.floor.require_stores:
        yield f'there is a recipient in store "{store}", as the floor wants'
