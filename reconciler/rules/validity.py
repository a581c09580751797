"""XG240 to XG242: when grants end, have ended, and begin. What is said depends on the time and the manifest alone."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, Grant, Plan, Severity
from reconciler.policy.instants import instant_text

_LATER = "give it a later expires, by a change of the manifest that somebody reviews"


def expires_soon(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each grant that ends within the notice that the manifests ask for."""
    now, notice = plan.timing.now, plan.timing.notice
    for grant in plan.timing.named():
        if grant.expires is not None and now < grant.expires <= now + notice:
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
            yield _finding(
                "XG241", Severity.NOTE, grant,
                f"the grant {grant.name} expired {instant_text(grant.expires)}: nothing of it is wanted any more",
                f"take it out of the manifest; or, if it is needed again, {_LATER}",
            )  # fmt: skip


def not_begun(plan: Plan) -> Iterator[Finding]:
    """Yield a note for each grant that has not begun: what it has is there, and nobody gets in."""
    for grant in plan.timing.named():
        if grant.starts is not None and plan.timing.now < grant.starts:
            yield _finding(
                "XG242", Severity.NOTE, grant,
                f"the grant {grant.name} opens {instant_text(grant.starts)}: until then its role lets nobody in",
                "nothing: it opens by itself",
            )  # fmt: skip


def _finding(rule: str, severity: Severity, grant: Grant, message: str, way_out: str) -> Finding:
    return Finding(rule=rule, severity=severity, message=message, way_out=way_out, grant=grant.name)
