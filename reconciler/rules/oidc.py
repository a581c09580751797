"""XG232 and XG233: a role that callers with a token of an OpenID Connect provider may assume."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, Plan, Role, Severity
from reconciler.policy.subjects import lets_in
from reconciler.policy.web_identity import provider_of, trusted_providers, trusted_subjects


def oidc_provider_missing(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each role that shall trust a provider which its account does not have.

    Whether AWS takes such a trust policy is not known; nobody gets in by it.
    """
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        facts = plan.live.facts[address.account]
        if not isinstance(wanted, Role) or facts.oidc_providers is None or not facts.planned():
            continue
        for arn in sorted(trusted_providers(wanted.trust_policy) - facts.oidc_providers):
            provider = provider_of(arn, facts.account.id)
            yield Finding(
                rule="XG232",
                severity=Severity.WARNING,
                message=f"account {facts.account.name} has no identity provider {provider}, so nobody gets in by it",
                way_out=f"create it there, for https://{provider}, with the audience as client id; xgrant makes none",
                address=address,
                grant=wanted.grant,
            )


def many_trusted(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each grant whose changes let in more than one branch, environment or the like.

    Whoever may push a branch to a repository has a job with the subject of that branch.
    """
    opened: dict[tuple[str, str], None] = {}
    for change in plan.changes:
        after, before = change.after, change.before
        if isinstance(after, Role):
            known = set(trusted_subjects(before.trust_policy)) if isinstance(before, Role) else set()
            found = (lets_in(*one) for one in trusted_subjects(after.trust_policy) if one not in known)
            opened |= {(change.grant, whom): None for whom in found if whom}
    for grant, whom in opened:
        yield Finding(
            rule="XG233",
            severity=Severity.WARNING,
            message=f"{whom} may assume the role of {grant}",
            way_out="nothing, if that is meant; else say which one in `from.oidc.subject`",
            grant=grant,
        )
