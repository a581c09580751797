"""Guardrails of manifests and of plans: what a team says of them, the catalogue, and the rules, put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.catalogue import installed_catalogue
from reconciler.lint import Breach, Seen, by_id, ended, ending, lint, lint_plan, not_run, unused
from reconciler.manifest.guardrails import load_policies
from reconciler.manifest.places import Places
from reconciler.model import Finding, Manifest, Plan, Policies, Severity
from reconciler.policy.document import PolicyDocument


@dataclass(frozen=True, slots=True)
class Guardrails:
    """What a manifest and its plans are held to, at a moment."""

    manifest: Manifest
    policies: Policies
    now: datetime
    places: Places

    def of_manifest(self) -> tuple[Finding, ...]:
        """Return what is found without AWS, whatever its level."""
        seen = self._seen()
        return (
            *lint(seen, self.policies, self.places.place),
            *unused(self.policies, seen),
            *ended(self.policies, seen),
            *ending(self.policies, seen),
        )

    def denied_in_manifest(self) -> tuple[Finding, ...]:
        """Return what is found without AWS and denied: nothing else is looked for, since there may be thousands."""
        seen = self._seen()
        found = lint(seen, self.policies, self.places.place, lambda severity, _: severity is Severity.ERROR)
        return tuple(denied((*found, *ended(self.policies, seen))))

    def not_run(self) -> tuple[str, ...]:
        """Return in words which rules did not run, for want of the catalogue, though nobody denies them."""
        found = () if self._seen().catalogue is not None else not_run(self.policies)
        return tuple(f"{one.message}; {one.way_out}" for one in found if one.severity is not Severity.ERROR)

    def of_plan(self, plan: Plan) -> Plan:
        """Return a plan with what is found in it and in its manifest.

        What is denied stops it wherever it stands. Warnings are for what the plan changes, and advice is not for plans:
        what nobody changes has been reviewed.
        """
        changed = {change.grant for change in plan.changes}

        def shown(severity: Severity, grant: str) -> bool:
            return speaks(severity, grant, changed)

        known = {resource.grant for resource in plan.desired.values()}

        def concerned(breach: Breach) -> bool:
            address = breach.address
            here = address is None or not plan.live.facts[address.account].elsewhere
            return here and (breach.grant in known or breach.beside in known)

        seen = replace(self._seen(), documents=_documents(plan))
        declared = lint(seen, self.policies, self.places.place, shown)
        found = [
            *(finding for finding in declared if not finding.grant or finding.grant in known),
            *lint_plan(plan, self.policies, self.places.place, shown, concerned),
            *ended(self.policies, seen),
            *ending(self.policies, seen),
        ]
        # XG116 says the same, at its place, with the level and the exceptions of the team.
        others = (finding for finding in plan.findings if finding.rule != "XG233")
        held = replace(plan, findings=(*others, *found))
        if not self.policies.checks:
            return held
        # What starts programs is imported where one is to be started.
        from reconciler.pipeline.checks import run_checks

        return replace(held, findings=(*held.findings, *run_checks(held, self.policies, self.places.place)))

    def _seen(self) -> Seen:
        return Seen(self.manifest, _day(self.now), int(self.now.timestamp()), installed_catalogue())


def _documents(plan: Plan) -> Mapping[str, PolicyDocument]:
    return {arn: found for facts in plan.live.facts.values() for arn, found in facts.documents.items()}


def speaks(severity: Severity, grant: str, changed: set[str]) -> bool:
    """Return whether a plan that changes these grants has findings of the guardrails; see `Guardrails.of_plan`."""
    match severity:
        case Severity.ERROR:
            return True
        case Severity.WARNING:
            return not grant or grant in changed
        case Severity.NOTE:
            return not grant


def guardrails(manifest: Manifest, paths: Iterable[str], now: datetime, folder: str | None = None) -> Guardrails:
    """Return the guardrails of a manifest that was read from paths; a `folder` of policies is the only one that counts.

    Raises:
        ManifestError: what `policies/` say is wrong.

    """
    named = list(paths)
    policies = load_policies(named, rules=by_id(), today=_day(now), folder=folder)
    return Guardrails(manifest, policies, now, Places(manifest, named))


def _day(now: datetime) -> str:
    return now.strftime("%Y-%m-%d")


def denied(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings that stop."""
    return (finding for finding in findings if finding.severity is Severity.ERROR)
