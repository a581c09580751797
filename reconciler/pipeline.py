"""The whole flow on one screen; the only place that wires the parts together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler import applier, planfile
from reconciler.desired import desired_state
from reconciler.errors import PlanFileError, StaleError, UsageError
from reconciler.manifest import load
from reconciler.model import Event, Kind, Manifest, Outcome, Plan, Role, Scope, resource_fingerprint
from reconciler.ownership import owns
from reconciler.planfile import Binding, PlanFile
from reconciler.planner import destroyed, narrow, plan
from reconciler.ports import Reader, Writer
from reconciler.render.data import plan_data
from reconciler.rules import ACCEPTABLE, RULES

__all__ = [
    "Request", "apply_plan", "aws_ports", "check_accepted", "load", "make_plan", "plan_again", "read_plan_file",
    "write_plan_file",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What a plan is asked for: these manifests; only these grants, if any are named; or that nothing be left.

    `accepted` are rules whose findings shall not stop the plan. `reviewed` says that the grants of `only` were there
    when the plan was reviewed; they may be gone by now.
    """

    manifest: Manifest
    only: frozenset[str] = frozenset()
    destroy: bool = False
    accepted: frozenset[str] = frozenset()
    reviewed: bool = False


def check_accepted(rules: list[str]) -> frozenset[str]:
    """Return the rules that are to be accepted; UsageError where one is none that can be."""
    if unknown := sorted(set(rules) - set(ACCEPTABLE)):
        raise UsageError(f"--accept: {', '.join(unknown)} cannot be accepted; these can: {', '.join(ACCEPTABLE)}")
    return frozenset(rules)


def aws_ports(manifest: Manifest) -> tuple[Reader, Writer]:
    """Return a reader and a writer of the manifest's accounts, over the same connections."""
    # boto3 takes as long to import as everything else together, and validate does without.
    from reconciler.aws import AwsReader, AwsWriter, Connections

    connections = Connections(manifest.stack)
    return AwsReader(connections), AwsWriter(connections, manifest.accounts, manifest.stack)


def make_plan(request: Request, reader: Reader) -> Plan:
    """Read all accounts of the manifest and return the plan.

    Raises:
        UsageError: `only` names a grant that is neither declared nor in AWS.
        AwsError, SeveralAccountsError: no account could be read.

    """
    manifest = request.manifest
    desired = desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)
    slots = frozenset(address.slot() for address in desired if address.kind is Kind.ROLE)
    roles = [resource for resource in desired.values() if isinstance(resource, Role)]
    named = {arn for role in roles for arn in (*role.managed_policies, role.permissions_boundary) if arn}
    live = reader.read(Scope(manifest.stack, tuple(manifest.accounts.values()), slots, frozenset(named)))
    if request.only:
        desired, live = narrow(desired, live, request.only, stack=manifest.stack)
        known = {grant.name for grant in manifest.grants} | {found.grant for found in live.state.values()}
        # Of an account that could not be read nobody knows what the stack owns there.
        surely = not request.reviewed and not any(facts.error for facts in live.facts.values())
        if surely and (unknown := sorted(request.only - known)):
            raise UsageError(f"--only: no grant {', '.join(unknown)} is declared, and the stack owns nothing of it")
    return plan(
        destroyed(desired) if request.destroy else desired, live, stack=manifest.stack, rules=RULES,
        limits=manifest.limits, accepted=request.accepted,
    )  # fmt: skip


def write_plan_file(
    plan: Plan, request: Request, path: str, *, paths: list[str], created_at: datetime, expires_at: datetime
) -> None:
    """Write a plan as a file for review and apply; OSError if it cannot be written."""
    text = planfile.sealed(
        plan_data(plan), paths=paths, digest=request.manifest.digest, only=request.only, destroy=request.destroy,
        created_at=created_at, expires_at=expires_at,
    )  # fmt: skip
    planfile.write_private(path, text)


def read_plan_file(path: str) -> PlanFile:
    """Return a plan file that is whole and says the same in all its parts; PlanFileError for any other."""
    found = planfile.parse(planfile.read_bytes(path), path)
    expected = plan_data(found.plan)
    _take_what_cannot_be_made_again(expected, found.data)
    if any(found.data[key] != value for key, value in expected.items()):
        raise PlanFileError(f"{path}: the parts of the file contradict each other; plan again with `xgrant plan -o`")
    return found


def _take_what_cannot_be_made_again(expected: dict[str, Any], data: Any) -> None:
    """Secrets are masked in a plan file, so fingerprints cannot be computed from it; the desired state is not in it."""
    expected["format_version"] = data["format_version"]
    expected["summary"]["wanted"] = data["summary"]["wanted"]
    for ours, theirs in zip(expected["resource_changes"], data["resource_changes"], strict=True):
        for key in ("before_fingerprint", "after_fingerprint"):
            if ours["change"][key] and theirs["change"][key]:
                ours["change"][key] = theirs["change"][key]


def plan_again(
    reviewed: PlanFile, path: str, manifest: Manifest, reader: Reader, *, now: datetime, accepted: frozenset[str]
) -> tuple[Plan, Binding]:
    """Make the plan of a file anew from the manifests; return it, and how it relates to the reviewed one.

    Raises:
        PlanFileError: the file is out of date, not complete, refused, or of another stack or other accounts.
        StaleError: the plan cannot be made with the file's scope any more.
        AwsError, SeveralAccountsError: no account could be read.

    """
    _check_fits(reviewed, path, manifest, now)
    request = Request(manifest, reviewed.only, reviewed.destroy, accepted, reviewed=True)
    try:
        current = make_plan(request, reader)
    except UsageError as error:
        raise StaleError(f"{path}: the plan is stale; nothing was changed: {error}") from None
    standing = {
        str(address): resource_fingerprint(resource)
        for address, resource in current.live.state.items()
        if owns(manifest.stack, resource)
    }
    return current, planfile.bind(reviewed.data, plan_data(current), standing)


def _check_fits(reviewed: PlanFile, path: str, manifest: Manifest, now: datetime) -> None:
    plan = reviewed.plan
    if now >= reviewed.expires_at:
        raise PlanFileError(f"{path}: the plan has expired at {reviewed.data['expires_at']}; plan again")
    if not plan.complete():
        raise PlanFileError(f"{path}: the plan is not complete: an account could not be read; plan again")
    if plan.stack != manifest.stack:
        raise PlanFileError(
            f"{path}: this is a plan of the stack {plan.stack}, and the manifests are of {manifest.stack}; name those"
        )
    accounts = {name: (facts.account.id, facts.account.managed) for name, facts in plan.live.facts.items()}
    if accounts != {name: (account.id, account.managed) for name, account in manifest.accounts.items()}:
        raise PlanFileError(f"{path}: the manifests have other accounts than the plan; plan again")


def apply_plan(
    approved: Plan, writer: Writer, *, current: Plan, on_event: Callable[[Event], None]
) -> tuple[Outcome, ...]:
    """Execute `current`, a plan made just now, if it is the approved one; StaleError if not."""
    return applier.apply(current, writer, approved=approved.fingerprint, on_event=on_event)
