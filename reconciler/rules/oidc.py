"""XG232 and XG233: a role that callers with a token of an OpenID Connect provider may assume."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, Plan, Role, Severity
from reconciler.policy.web_identity import any_ref, provider_of, trusted_providers, trusted_subjects


def oidc_provider_missing(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each provider that a role shall trust and its account does not have.

    Whether AWS takes such a trust policy is not known; nobody gets in by it.
    """
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        facts = plan.live.facts[address.account]
        if not isinstance(wanted, Role) or facts.oidc_providers is None:
            continue
        for arn in sorted(trusted_providers(wanted.trust_policy) - facts.oidc_providers):
            yield Finding(
                rule="XG232",
                severity=Severity.WARNING,
                message=f"account {address.account} has no identity provider {arn}, so nobody gets in by it",
                way_out=(
                    f"create it there first, for https://{provider_of(arn, facts.account.id)} and with the grant's "
                    "audience as client id; xgrant makes none"
                ),
                address=address,
                grant=wanted.grant,
            )


def any_ref_trusted(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each change that lets in whatever job of a repository: whoever may push a branch."""
    for change in plan.changes:
        after, before = change.after, change.before
        if not isinstance(after, Role):
            continue
        known = set(trusted_subjects(before.trust_policy)) if isinstance(before, Role) else set()
        for subject in trusted_subjects(after.trust_policy):
            if subject not in known and (whose := any_ref(subject)):
                yield Finding(
                    rule="XG233",
                    severity=Severity.WARNING,
                    message=f"any branch, tag, environment and pull request of {whose} may assume this role",
                    way_out="nothing, if that is meant; else say which one in `from.oidc.subject`",
                    address=change.address,
                    grant=change.grant,
                )
