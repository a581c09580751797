"""XG240 to XG243, XG245: when grants end, have ended, and begin, and what is to be rotated."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Address, Finding, Grant, Kind, Plan, Role, Severity
from reconciler.ownership import owns
from reconciler.policy.instants import instant_text

_LATER = "give it a later expires, by a change of the manifest that somebody reviews"


def expires_soon(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each grant that ends within the notice that the manifests ask for."""
    now, notice = plan.timing.now, plan.timing.notice
    for grant in plan.timing.named():
        if grant.expires is None or not now < grant.expires <= now + notice:
            continue
        if grant.name in plan.timing.followers:
            yield _finding(
                "XG240", Severity.WARNING, grant,
                f"the grant {grant.name} ends {instant_text(grant.expires)}, with the grants whose roles are its only "
                "callers: nobody gets in from then on, and the next apply removes what it has",
                "give it the same expires, which ends its sessions then, too; or another caller, if it is to stay",
            )  # fmt: skip
        else:
            yield _finding(
                "XG240", Severity.WARNING, grant,
                f"the grant {grant.name} expires {instant_text(grant.expires)}: nobody gets in from then on, its "
                "sessions end, and the next apply removes what it has",
                f"if it is still needed, {_LATER}; else let it end",
            )  # fmt: skip


def expired(plan: Plan) -> Iterator[Finding]:
    """Yield a note for each grant that has ended."""
    for grant in plan.timing.named():
        if grant.expires is not None and grant.expired(plan.timing.now):
            follows = grant.name in plan.timing.followers
            wanted = "name other callers" if follows else _LATER
            what = "ended with the grants whose roles are its only callers," if follows else "expired"
            yield _finding(
                "XG241", Severity.NOTE, grant,
                f"the grant {grant.name} {what} {instant_text(grant.expires)}: nothing of it is wanted any more",
                f"take it out of the manifest; or, if it is needed again, {wanted}"
                + "".join(f"; {one}" for one in _left_to_owners(plan, grant.name)),
            )  # fmt: skip


def _left_to_owners(plan: Plan, name: str) -> Iterator[str]:
    """Yield what the owners of accounts that are not managed have to delete of a grant that has ended."""
    accounts = {known: facts.account for known, facts in plan.live.facts.items() if not facts.account.managed}
    for grant in plan.timing.grants:
        if grant.name == name and grant.target in accounts:
            yield f"the owner of account {grant.target}, which is not managed here, deletes the role {grant.role_name}"
    callers = (one.account for grant in plan.timing.grants if grant.name == name for one in grant.principals)
    for account in sorted({*callers} & accounts.keys()):
        yield f"the owner of account {account}, which is not managed here, deletes what lets its callers assume it"


def not_begun(plan: Plan) -> Iterator[Finding]:
    """Yield a note for each grant that has not begun: what it has is there, and nobody gets in."""
    for grant in plan.timing.named():
        if grant.starts is not None and plan.timing.now < grant.starts:
            yield _finding(
                "XG242", Severity.NOTE, grant,
                f"the grant {grant.name} opens {instant_text(grant.starts)}: until then its role lets nobody in",
                "nothing: it opens by itself",
            )  # fmt: skip


def rotation_due(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each role that was last rotated, or made, longer ago than its grant says."""
    grants = [grant for grant in plan.timing.grants if grant.rotate_every and not grant.expired(plan.timing.now)]
    standing = {address.slot(): (address, role) for address, role in plan.live.state.items()} if grants else {}
    for grant in grants:
        slot = Address(grant.target, Kind.ROLE, grant.role_name).slot()
        address, role = standing.get(slot, (None, None))
        if not isinstance(role, Role) or role.rotated is None or not owns(plan.stack, role):
            continue
        due = role.rotated + (grant.rotate_every or 0)
        if due > plan.timing.now or slot in plan.timing.rotate:
            continue
        what = "the external id of the role" if grant.external_ids else "the role"
        yield _finding(
            "XG243", Severity.WARNING, grant,
            f"{what} {grant.role_name} is due for rotation since {instant_text(due)}: it was last rotated, or made, "
            f"{instant_text(role.rotated)}",
            f"xgrant rotate {grant.name}" + (" --finish" if len(grant.external_ids) > 1 else ""), address,
        )  # fmt: skip


def two_external_ids(plan: Plan) -> Iterator[Finding]:
    """Yield a note for each grant whose external id is being rotated."""
    for grant in plan.timing.named():
        if len(grant.external_ids) > 1 and not grant.expired(plan.timing.now):
            yield _finding(
                "XG245", Severity.NOTE, grant,
                f"the grant {grant.name} accepts two external ids, the new one and the old one",
                f"once its callers send the new one, drop the old one: xgrant rotate {grant.name} --finish",
            )  # fmt: skip


def _finding(
    rule: str, severity: Severity, grant: Grant, message: str, way_out: str, address: Address | None = None
) -> Finding:
    return Finding(
        rule=rule, severity=severity, message=message, way_out=way_out, grant=grant.name, address=address
    )  # fmt: skip
