"""`tegmen explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from tegmen.cli.parameters import declare_option, profile_option
from tegmen.cli.settings import Settings, common, pass_settings

if TYPE_CHECKING:
    from tegmen.cli.screen import Screen
    from tegmen.interfaces import Attributes
    from tegmen.policy import Decision, Step


@click.command("explain")
@click.argument("source", metavar="SRC")
@profile_option
@declare_option
@click.option("--name", help="The file's name, for a rule that reads it; by default that of SRC.")
@common
@pass_settings
def command(
    settings: Settings,
    source: str,
    profile: str | None,
    declare: Mapping[str, str],
    name: str | None,
) -> None:
    """Say which profile a file would be sealed with, and why; seal nothing.

    SRC is a file, or - for standard input.

    \b
    Examples:
      tegmen explain ct.dcm
      tegmen explain ct.dcm --declare purpose=teleradiology
    """
    from tegmen.cli.streams import STREAM, standard_input
    from tegmen.errors import PolicyRefused

    sealer = settings.sealer()
    given = standard_input().read() if source == STREAM else source
    found = sealer.attributes(given, name=name)
    try:
        decision = sealer.explain(declare, source=given, name=name, profile=profile)
    except PolicyRefused as refused:
        if not settings.json:
            _tell_attributes(settings.screen, found, declare)
            _tell_steps(settings.screen, refused.steps)
        raise
    if settings.json:
        attributes = {"found": dict(found), "declared": dict(declare)}
        settings.screen.document({"input": source, **attributes, **_document(decision)})
    else:
        _tell(settings.screen, source, decision)
        _tell_attributes(settings.screen, found, declare)
        _tell_steps(settings.screen, decision.steps)


def _document(decision: Decision) -> dict[str, object]:
    profile = decision.profile
    return {
        "profile": profile.name,
        "rule": decision.rule,
        "cipher": profile.cipher,
        "carrier": profile.carrier,
        "recipients": [str(recipient) for recipient in profile.recipients],
        "context": list(profile.context),
        "steps": decision.steps,
        "floor": list(decision.floor),
    }


def _tell(screen: Screen, source: str, decision: Decision) -> None:
    from tegmen.policy import EXPLICIT

    profile = decision.profile
    chosen = "named by you" if decision.rule == EXPLICIT else f"chosen by rule {decision.rule}"
    screen.data(f"{source}: profile {profile.name}, {chosen}")
    screen.facts(
        {
            "  for": profile.description or "(no description)",
            "  cipher": profile.cipher,
            "  carrier": profile.carrier,
            "  recipients": ", ".join(map(str, profile.recipients)),
            "  context to open": ", ".join(profile.context) or "none",
        }
    )
    screen.data("\nPolicy\n" + "\n".join(f"  {sentence}" for sentence in decision.floor))


def _tell_attributes(screen: Screen, found: Attributes, declared: Attributes) -> None:
    screen.data("\nWhat rules can see")
    rows = [(f"  {name}", value, "found") for name, value in found.items()]
    rows += [(f"  {name}", value, "declared") for name, value in declared.items()]
    screen.table(("", "", ""), rows, heading=False)


def _tell_steps(screen: Screen, steps: Sequence[Step]) -> None:
    if steps:
        screen.data("\nRules tried, in order")
        rows = [(f"  {step.rule}", "matches" if step.matched else step.why) for step in steps]
        screen.table(("", ""), rows, heading=False)
