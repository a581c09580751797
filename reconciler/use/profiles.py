"""The grants that somebody may use, as profiles of the AWS configuration file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from reconciler.model import Account, Identity
from reconciler.policy.sessions import TAG_SESSION, further_actions
from reconciler.use.choice import Use
from reconciler.use.conditions import demands, demands_mfa, value_for
from reconciler.use.refused import may_use
from reconciler.use.request import longest

# A line break in an external id, which trust_conditions may have, would be a setting of its own in the file.
_VALUE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Profiles:
    """Profiles by name, each with its settings in order; and the grants that have none, with the reason."""

    sections: Mapping[str, Mapping[str, str]]
    left: Mapping[str, str]


def usable(
    found: Iterable[Use], accounts: Mapping[str, Account], who: Identity, groups: Collection[str] | None
) -> tuple[Use, ...]:
    """Return what names who asks; what names a group counts where nobody can see who is in it (`groups` is None)."""
    return tuple(use for use in found if may_use(use, accounts, who, groups) is not False)


def profiles(found: Iterable[Use], who: Identity, *, source: str, mfa_serial: str) -> Profiles:
    """Return the profiles by which AWS's tools assume the roles with the credentials of the profile `source`.

    `mfa_serial` is the device of who asks, empty without one.
    """
    sections: dict[str, Mapping[str, str]] = {}
    left: dict[str, str] = {}
    for use in found:
        settings = _settings(use, who, mfa_serial)
        if reason := _not_possible(use, who, mfa_serial):
            left[use.label] = reason
        elif wrong := [name for name, value in settings.items() if _VALUE.fullmatch(value) is None]:
            left[use.label] = f"its {wrong[0]} has characters that no profile can hold"
        else:
            sections[use.label] = {"role_arn": use.role_arn, "source_profile": source, **settings}
    return Profiles(sections, left)


def _not_possible(use: Use, who: Identity, mfa_serial: str) -> str:
    if demands_mfa(use.grant.conditions):
        if who.role():
            return f"it demands MFA, which the session of the role {who.role()} never carries"
        if not mfa_serial:
            return "it demands MFA: name your device with --mfa-serial, or as mfa_serial of the source profile"
    if demands(use.grant.conditions, "sts:sourceidentity"):
        return "it demands a source identity, which no profile can send"
    if TAG_SESSION in further_actions(use.grant.conditions):
        return "it demands tags of the session, which no profile can send"
    return ""


def _settings(use: Use, who: Identity, mfa_serial: str) -> Mapping[str, str]:
    conditions = use.grant.conditions
    settings = {
        "mfa_serial": mfa_serial if demands_mfa(conditions) else "",
        "external_id": value_for(conditions, "sts:externalid", who),
        "role_session_name": value_for(conditions, "sts:rolesessionname", who),
        "duration_seconds": str(longest(use, who)),
    }
    return {name: value for name, value in settings.items() if value}
