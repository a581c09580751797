"""A plan written to a file, and the same plan made again when the file is to be applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from reconciler import planfile
from reconciler.errors import PlanFileError, StaleError, UnreadablePlanError, UsageError
from reconciler.model import Account, Change, Kind, ManagedPolicy, Manifest, Plan, Resource, Role, resource_fingerprint
from reconciler.pipeline.guardrails import Guardrails
from reconciler.pipeline.in_part import in_part
from reconciler.pipeline.main_job import Request, make_plan
from reconciler.planfile import Binding, PlanFile
from reconciler.policy.arn import iam_arn
from reconciler.ports import Reader
from reconciler.render.data import plan_data
from reconciler.wording import few


def write_plan_file(
    plan: Plan, request: Request, path: str, *, paths: list[str], created_at: datetime, expires_at: datetime
) -> None:
    """Write a plan as a file for review and apply.

    Raises:
        OSError: it cannot be written.
        UsageError: as `check_target`.
        UnreadablePlanError: nobody could read what would be written; nothing is.

    """
    text = planfile.sealed(
        plan_data(plan), paths=paths, digest=request.manifest.digest, only=request.only, destroy=request.destroy,
        created_at=created_at, expires_at=expires_at, shard=shard_data(request),
    )  # fmt: skip
    write_verified(text, path)


def write_verified(text: str, path: str) -> None:
    """Write the text of a plan file; raises as `write_plan_file`."""
    try:
        parse_plan_file(text.encode(), path)
    except PlanFileError as error:
        raise UnreadablePlanError(str(error)) from None
    planfile.write_private(path, text)


def shard_data(request: Request) -> dict[str, Any] | None:
    """Return as data which part of the accounts a request is for; None for all of them."""
    if request.shard is None:
        return None
    return {
        "number": request.shard.number,
        "of": request.shard.of,
        "limits": asdict(request.manifest.limits),
        "accounts": {name: account.id for name, account in sorted(request.manifest.accounts.items())},
    }


def read_plan_file(path: str) -> PlanFile:
    """Return a plan file that is whole and says the same in all its parts; PlanFileError for any other."""
    return parse_plan_file(planfile.read_bytes(path), path)


def parse_plan_file(content: bytes, path: str) -> PlanFile:
    """Return the plan file of this content; `path` is what messages call it. PlanFileError as `read_plan_file`."""
    found = planfile.parse(content, path)
    expected = plan_data(found.plan, again=True)
    _take_what_cannot_be_made_again(expected, found.data)
    if any(found.data[key] != value for key, value in expected.items()):
        raise PlanFileError(f"{path}: the parts of the file contradict each other; plan again with `xgrant plan -o`")
    return found


def _take_what_cannot_be_made_again(expected: dict[str, Any], data: Any) -> None:
    """Secrets are masked in a plan file, so fingerprints cannot be computed from it; the desired state is not in it."""
    expected["format_version"] = data["format_version"]
    expected["summary"]["wanted"] = data["summary"]["wanted"]
    # Files of format 1.1 say neither.
    if "owned" not in data["summary"]:
        del expected["summary"]["owned"]
    for ours, theirs in zip(expected["accounts"], data["accounts"], strict=True):
        if "partition" not in theirs:
            del ours["partition"]
    for ours, theirs in zip(expected["resource_changes"], data["resource_changes"], strict=True):
        for key in ("before_fingerprint", "after_fingerprint"):
            if ours["change"][key] and theirs["change"][key]:
                ours["change"][key] = theirs["change"][key]


def plan_again(
    reviewed: PlanFile, path: str, manifest: Manifest, reader: Reader, *, now: datetime, accepted: frozenset[str],
    anew: str, guardrails: Guardrails | None = None,
) -> tuple[Plan, Binding]:  # fmt: skip
    """Make the plan of a file anew from the manifests; return it, and how it relates to the reviewed one.

    `anew` is the command that makes such a file anew, for what this one leaves out.

    Raises:
        PlanFileError: the file is out of date, refused, or of another stack or other accounts.
        StaleError: the plan cannot be made with the file's scope any more.
        AwsError, SeveralAccountsError: no account could be read.

    """
    _check_fits(reviewed, path, manifest, now)
    # A role that is no longer the stack's is not gone.
    places = (place for change in reviewed.plan.changes for place in (change.address, change.removed_address()))
    roles = frozenset(place.slot() for place in places if place.kind is Kind.ROLE)
    left_out = frozenset(reviewed.plan.unread())
    request = Request(
        manifest, reviewed.only, reviewed.destroy, accepted, True, roles, left_out, anew, guardrails=guardrails
    )
    try:
        current = make_plan(request, reader, now=now)
    except UsageError as error:
        raise StaleError(f"{path}: the plan is stale; nothing was changed: {error}") from None
    standing = {str(address): resource_fingerprint(found) for address, found in current.whole.live.items()}
    data, planned = reviewed.data, plan_data(current)
    part = not left_out.issuperset(current.unread())
    if part:
        entries = in_part(with_arns(reviewed.plan), data["resource_changes"], current, planned["resource_changes"])
        data = {**data, "resource_changes": entries}
    return current, planfile.bind(data, planned, standing, part=part)


def with_arns(plan: Plan) -> Iterator[Change]:
    """Yield the changes of a plan from a file with the ARNs of their resources, which are not in it."""
    for change in plan.changes:
        account = plan.live.facts[change.address.account].account
        before = _located(account, change.before, change.removed_address().name)
        yield replace(change, before=before, after=_located(account, change.after, change.address.name))


def _located(account: Account, resource: Resource | None, name: str) -> Resource | None:
    match resource:
        case Role():
            return replace(resource, arn=iam_arn(account.partition, account.id, "role", resource.path, name))
        case ManagedPolicy():
            return replace(resource, arn=iam_arn(account.partition, account.id, "policy", resource.path, name))
        case _:
            return resource


def _check_fits(reviewed: PlanFile, path: str, manifest: Manifest, now: datetime) -> None:
    plan = reviewed.plan
    if reviewed.shard is not None:
        raise PlanFileError(f"{path}: this is the plan of shard {reviewed.shard}; join all with `xgrant merge` first")
    if now >= reviewed.expires_at:
        raise PlanFileError(f"{path}: the plan has expired at {reviewed.data['expires_at']}; plan again")
    if plan.stack != manifest.stack:
        raise PlanFileError(
            f"{path}: this is a plan of the stack {plan.stack}, and the manifests are of {manifest.stack}; name those"
        )
    planned = {name: _which(facts.account) for name, facts in plan.live.facts.items()}
    current = {name: _which(account) for name, account in manifest.accounts.items()}
    if planned != current:
        others = other_accounts(planned, current, "the plan", "the manifests")
        raise PlanFileError(f"{path}: the manifests have other accounts than the plan: {others}; plan again")


def _which(account: Account) -> tuple[str, bool, str]:
    return account.id, account.managed, account.partition


def other_accounts(ours: Mapping[str, object], theirs: Mapping[str, object], here: str, there: str) -> str:
    """Say by name which accounts only one of two lists has, or has otherwise; `here` and `there` are the lists."""
    names = (
        (f"only in {here}:", sorted({*ours} - {*theirs})),
        (f"only in {there}:", sorted({*theirs} - {*ours})),
        ("in both, and not the same:", sorted(name for name in {*ours} & {*theirs} if ours[name] != theirs[name])),
    )
    return "; ".join(f"{what} {few(found)}" for what, found in names if found)
