"""Decisions: which rule wins and why, what policy and floor refuse, and what may be shown."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tegmen.errors import ConfigError, PluginNotFound, PolicyRefused
from tegmen.interfaces import Attributes, CipherInfo, Tier
from tegmen.policy import EXPLICIT, Decision, Rules, may_open
from tegmen.profile import Config, loads

TIERS: dict[str, Tier] = {"aes-256-gcm": "standard", "sm4-ecb": "legacy", "logistic": "research"}

BASE = """
version = 1
[stores.local]
kind = "file"
[stores.recovery]
kind = "file"
[profiles.images]
cipher = "aes-256-gcm"
carrier = "dicom"
recipients = ["local/images", "recovery/recovery"]
[profiles.files]
cipher = "aes-256-gcm"
carrier = "tgm"
recipients = ["local/files"]
[profiles.old]
cipher = "sm4-ecb"
carrier = "tgm"
recipients = ["local/files"]
[profiles.chaos]
cipher = "logistic"
carrier = "tgm"
recipients = ["local/files"]
"""

RULES = """
[[rules]]
name = "ct-and-mr"
found = { Modality = ["CT", "MR"] }
declared = { trust = "north*" }
use = "images"
[[rules]]
name = "reports"
found = { Modality = "SR" }
deny = "reports are not images"
[[rules]]
name = "study"
found = { Modality = "U?" }
use = "chaos"
tier = "research"
[[rules]]
name = "everything-else"
use = "files"
"""


def info(name: str) -> CipherInfo:
    return CipherInfo(name, TIERS[name], 32, 12, 16)


def config(policy: str = "", rules: str = RULES) -> Config:
    return loads(BASE + policy + rules, Path())


def decide(
    found: Attributes | None = None,
    declared: Attributes | None = None,
    profile: str | None = None,
    policy: str = "",
    rules: str = RULES,
) -> Decision:
    return Rules(config(policy, rules), info).decide(
        declared=declared or {}, found=found or {}, profile=profile
    )


NORTH = {"trust": "north-west"}


@pytest.mark.parametrize(
    ("found", "declared", "rule"),
    [
        ({"Modality": "CT"}, NORTH, "ct-and-mr"),
        ({"Modality": "MR"}, NORTH, "ct-and-mr"),
        ({"Modality": "MR"}, {"trust": "south"}, "everything-else"),
        ({"Modality": "MR"}, {}, "everything-else"),
        ({"Modality": "mr"}, NORTH, "everything-else"),
        ({"Modality": "OT\\CT"}, NORTH, "ct-and-mr"),
        ({"Modality": "CTX\\XMR"}, NORTH, "everything-else"),
        ({"Modality": "US"}, {}, "study"),
        ({"Modality": "USG"}, {}, "everything-else"),
        ({"Modality": ""}, NORTH, "everything-else"),
        ({}, {"Modality": "CT", **NORTH}, "everything-else"),
        ({"Modality": "CT", "trust": "north"}, {}, "everything-else"),
    ],
)
def test_the_first_rule_that_matches_wins(
    found: Attributes, declared: Attributes, rule: str
) -> None:
    decision = decide(found, declared)
    assert decision.rule == rule
    assert decision.steps[-1].rule == rule
    assert decision.steps[-1].matched
    assert not any(step.matched for step in decision.steps[:-1])


def test_what_the_caller_declares_is_one_value_backslashes_or_not() -> None:
    assert decide({"Modality": "CT"}, {"trust": "south\\north"}).rule == "everything-else"


def test_each_step_says_why_it_did_not_match() -> None:
    decision = decide({"Modality": "US\\PX", "PatientName": "DOE^JANE"}, {"trust": "x"})
    assert [step.why for step in decision.steps] == [
        "Modality is US\\PX, not CT or MR",
        "Modality is US\\PX, not SR",
        "",
    ]
    assert decide({"Modality": "CT"}).steps[0].why == "trust was not declared"
    assert decide({}, NORTH).steps[0].why == "Modality was not found"
    assert decide({"Modality": "CT"}, {"trust": "s"}).steps[0].why == "trust is s, not north*"


@given(
    st.dictionaries(st.sampled_from(["PatientName", "PatientID", "StudyDate"]), st.text()),
    st.text(max_size=200),
)
def test_an_explanation_shows_only_what_rules_name_and_nothing_that_a_terminal_obeys(
    private: dict[str, str], modality: str
) -> None:
    rules = Rules(PLAIN, info)
    with_them = rules.decide(declared={}, found={**private, "Modality": modality})
    without = rules.decide(declared={}, found={"Modality": modality})
    assert with_them == without
    for step in with_them.steps:
        assert step.why.isprintable()
        assert len(step.why) < 200


PLAIN = config(rules=RULES.replace('["CT", "MR"]', '"CT"').replace('"SR"', '"DOC"'))


def test_a_rule_that_denies_refuses_with_its_reason_and_no_value() -> None:
    with pytest.raises(PolicyRefused) as caught:
        decide({"Modality": "SR\\SECRET"})
    assert str(caught.value) == 'rule "reports" refuses to seal this: reports are not images'
    assert "SECRET" not in str(caught.value) + caught.value.hint


def test_a_named_profile_replaces_what_a_rule_would_choose() -> None:
    decision = decide({"Modality": "CT"}, NORTH, profile="files")
    assert (decision.profile.name, decision.rule) == ("files", EXPLICIT)
    assert [(step.rule, step.matched) for step in decision.steps] == [("ct-and-mr", True)]


def test_a_named_profile_is_no_way_around_a_rule_that_denies() -> None:
    with pytest.raises(PolicyRefused, match="reports are not images") as caught:
        decide({"Modality": "SR"}, profile="files")
    assert [step.matched for step in caught.value.steps] == [False, True]
    nothing_matches = '[[rules]]\nname = "all"\ndeny = "closed"\n'
    with pytest.raises(PolicyRefused, match="closed"):
        decide(profile="files", rules=nothing_matches)


def test_an_unknown_profile_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="there is no profile 'image'") as caught:
        decide(profile="image")
    assert caught.value.hint == 'did you mean "images"?'


def test_a_tier_below_standard_needs_a_rule_that_opts_in() -> None:
    decision = decide({"Modality": "US"})
    assert decision.profile.name == "chaos"
    assert 'logistic is of tier research, which rule "study" opted in to' in decision.floor
    with pytest.raises(PolicyRefused, match="tier research, and nothing opted in") as caught:
        decide(profile="chaos")
    assert 'tier = "research"' in caught.value.hint
    other_tier = RULES.replace('tier = "research"', 'tier = "legacy"')
    with pytest.raises(PolicyRefused, match='"chaos", chosen by rule "study", may not seal'):
        decide({"Modality": "US"}, rules=other_tier)
    allowed = '[policy]\ntiers = ["standard", "research"]\n'
    assert decide(profile="chaos", policy=allowed).profile.name == "chaos"


FLOORS = {
    '[policy.floor]\ntiers = ["standard"]\n': ("chaos", "below the floor"),
    "[policy.floor]\nmin-recipients = 2\n": ("files", "too few recipients: 1, at least 2 wanted"),
    "[policy]\nmin-recipients = 2\n": ("files", "too few recipients: 1, at least 2 wanted"),
    '[policy.floor]\nrequire-stores = ["recovery"]\n': ("files", 'in store "recovery"'),
    '[policy]\nseal = ["sm4-ecb"]\n': ("files", "does not seal with aes-256-gcm"),
    '[policy]\nopen = ["sm4-ecb"]\n': ("files", "could not open aes-256-gcm again"),
    '[policy]\nidentify-only = ["aes-256-gcm"]\n': ("files", "only identifies aes-256-gcm"),
}


@pytest.mark.parametrize("policy", FLOORS)
def test_policy_and_floor_hold_against_a_rule_and_against_a_named_profile(policy: str) -> None:
    profile, reason = FLOORS[policy]
    rule = f'[[rules]]\nname = "all"\nuse = "{profile}"\n'
    if profile == "chaos":
        rule += 'tier = "research"\n'
        policy = policy.replace("[policy.floor]", '[policy]\ntiers = ["research"]\n[policy.floor]')
    with pytest.raises(PolicyRefused, match=reason) as by_rule:
        decide(policy=policy, rules=rule)
    assert 'chosen by rule "all"' in str(by_rule.value)
    assert by_rule.value.hint
    with pytest.raises(PolicyRefused, match=reason) as named:
        decide(policy=policy, rules=rule, profile=profile)
    assert "named by the caller" in str(named.value)


def test_what_satisfies_the_floor_is_said() -> None:
    policy = '[policy.floor]\nmin-recipients = 2\nrequire-stores = ["recovery"]\n'
    assert decide(profile="images", policy=policy).floor == (
        "aes-256-gcm is of tier standard, which may seal",
        "recipients: 2, at least 2 wanted",
        'there is a recipient in store "recovery", as the floor wants',
    )


def test_one_rules_opt_in_is_not_anothers() -> None:
    rules = Rules(config(rules=RULES.replace('"files"\n', '"chaos"\n')), info)
    assert rules.decide(declared={}, found={"Modality": "US"}).rule == "study"
    with pytest.raises(PolicyRefused, match='chosen by rule "everything-else"'):
        rules.decide(declared={}, found={})


def test_only_a_chosen_profiles_cipher_is_asked_for_and_only_once() -> None:
    asked = []

    def cipher_info(name: str) -> CipherInfo:
        asked.append(name)
        return info(name)

    rules = Rules(config(), cipher_info)
    assert asked == []
    for _ in range(3):
        rules.decide(declared={}, found={})
    assert asked == ["aes-256-gcm"]


def test_a_cipher_that_is_not_installed_refuses_every_time() -> None:
    def cipher_info(name: str) -> CipherInfo:
        raise PluginNotFound(name)

    rules = Rules(config(), cipher_info)
    for _ in range(2):
        with pytest.raises(PluginNotFound):
            rules.decide(declared={}, found={})


def test_rules_are_safe_in_threads() -> None:
    rules = Rules(config(), info)
    wrong = []

    def work() -> None:
        for _ in range(200):
            if rules.decide(declared=NORTH, found={"Modality": "CT"}).rule != "ct-and-mr":
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("policy", "cipher", "refused"),
    [
        ("", "aes-256-gcm", ""),
        ("", "anything-installed", ""),
        ('[policy]\nseal = ["aes-256-gcm"]\n', "sm4-ecb", ""),
        ('[policy]\nopen = ["sm4-ecb"]\n', "sm4-ecb", ""),
        ('[policy]\nopen = ["sm4-ecb"]\n', "logistic", "may not open anything"),
        ('[policy]\nidentify-only = ["sm4-ecb"]\n', "sm4-ecb", "may only be identified"),
    ],
)
def test_what_may_open(policy: str, cipher: str, refused: str) -> None:
    if not refused:
        may_open(config(policy), cipher)
        return
    with pytest.raises(PolicyRefused, match=refused) as caught:
        may_open(config(policy), cipher)
    assert caught.value.hint


def test_patterns_join_without_reaching_into_each_other() -> None:
    rules = '[[rules]]\nname = "a"\nfound = { K = ["a*b*c", "x*y*z", "[0-9]"] }\nuse = "files"\n'
    rules += '[[rules]]\nname = "b"\nuse = "images"\n'
    for value, rule in (("a1b2c", "a"), ("x1y2z", "a"), ("7", "a"), ("a1y2z", "b"), ("77", "b")):
        assert decide({"K": value}, rules=rules).rule == rule
