"""The grants that somebody may use, as profiles of the AWS configuration file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from reconciler.model import Account, Identity, SessionRequest
from reconciler.policy.sessions import TAG_SESSION, further_actions
from reconciler.use.choice import Use
from reconciler.use.conditions import demands, demands_mfa, judged, value_for
from reconciler.use.refused import may_use
from reconciler.use.request import longest, own_name

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


def profiles(found: Iterable[Use], who: Identity, *, source: str, mfa_serial: str, prefix: str = "") -> Profiles:
    """Return the profiles by which AWS's tools assume the roles with the credentials of the profile `source`.

    `mfa_serial` is the device of who asks, empty without one; `prefix` stands before the name of each profile.
    """
    sections: dict[str, Mapping[str, str]] = {}
    left: dict[str, str] = {}
    for use in found:
        name, settings = prefix + use.label, _settings(use, who, mfa_serial)
        if reason := _not_possible(name, use, who, mfa_serial):
            left[use.label] = reason
        elif wrong := _unwritable(settings, who):
            left[use.label] = f"its {wrong} has characters that no profile can hold"
        else:
            # AWS's tools take only the credentials from the source, and would look for the rest here.
            sections[name] = {"role_arn": use.role_arn, **_source(source, who), **settings, **who.settings}
    return Profiles(sections, left)


def _source(profile: str, who: Identity) -> Mapping[str, str]:
    """Return where AWS's tools have the credentials from; they take no `source_profile` that has none of its own."""
    if who.credential_source:
        return {"credential_source": who.credential_source}
    return {"source_profile": profile}


def _not_possible(name: str, use: Use, who: Identity, mfa_serial: str) -> str:
    conditions = use.grant.conditions
    if name == "default":
        return "AWS's tools would take that profile wherever none is named; give the profiles a --prefix"
    if demands_mfa(conditions):
        if who.role():
            return f"it demands MFA, which the session of the role {who.role()} never carries"
        if not mfa_serial and not who.temporary:
            return "it demands MFA: name your device with --mfa-serial, or as mfa_serial of the source profile"
    if demands(conditions, "sts:sourceidentity"):
        return "it demands a source identity, which no profile can send"
    if TAG_SESSION in further_actions(conditions):
        return "it demands tags of the session, which no profile can send"
    found = judged(conditions, _sent(use, who, mfa_serial), who)
    way = f"; use `xgrant exec` with {' and '.join(found.ways)}" if found.ways else ""
    return f"its trust condition would not be met: {'; '.join(found.unmet)}{way}" if found.unmet else ""


def _sent(use: Use, who: Identity, mfa_serial: str) -> SessionRequest:
    """Return what AWS's tools send of such a profile."""
    settings = _settings(use, who, mfa_serial)
    return SessionRequest(
        use.role_arn, settings["role_session_name"], longest(use, who),
        external_id=settings.get("external_id", ""), mfa_serial=settings.get("mfa_serial", ""),
    )  # fmt: skip


def _settings(use: Use, who: Identity, mfa_serial: str) -> Mapping[str, str]:
    conditions = use.grant.conditions
    settings = {
        "mfa_serial": mfa_serial if demands_mfa(conditions) else "",
        "external_id": value_for(conditions, "sts:externalid", who),
        "role_session_name": value_for(conditions, "sts:rolesessionname", who) or own_name(who),
        "duration_seconds": str(longest(use, who)),
    }
    return {name: value for name, value in settings.items() if value}


def _unwritable(settings: Mapping[str, str], who: Identity) -> str:
    """Return the name of a setting that cannot be written; those of the source profile stand in such a file already."""
    wrong = [name for name, value in settings.items() if _VALUE.fullmatch(value) is None]
    wrong += [name for name, value in who.settings.items() if not value.isprintable()]
    return wrong[0] if wrong else ""
