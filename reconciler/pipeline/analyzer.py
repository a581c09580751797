"""What AWS's Access Analyzer says of the documents of a plan or of manifests, among the other findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.desired import desired_state
from reconciler.events import Notice
from reconciler.lint import SEVERITIES, by_id
from reconciler.lint.others import ANALYZER, NEW_ACCESS
from reconciler.model import (
    Account,
    Address,
    CallerPolicy,
    Finding,
    Level,
    ManagedPolicy,
    Manifest,
    Plan,
    Resource,
    Role,
    Severity,
    Spot,
    State,
)
from reconciler.ownership import INLINE_POLICY
from reconciler.pipeline.guardrails import Guardrails
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.ports import Analyzer, Opinion

_LEVELS = {
    "ERROR": Level.DENY,
    "SECURITY_WARNING": Level.WARN,
    "WARNING": Level.WARN,
    "SUGGESTION": Level.ADVICE,
}
"""By the kind of Access Analyzer's finding (facts sheet 9)."""


@dataclass(frozen=True, slots=True)
class _Document:
    """A document of a resource: of a trust policy, or of the inline policy of a name; empty for any other."""

    address: Address
    grant: str
    document: PolicyDocument
    trust: bool = False
    policy: str = ""


def aws_analyzer(manifest: Manifest, notify: Callable[[Notice], None]) -> Analyzer:
    """Return who judges documents of the manifest's accounts."""
    # As for `aws_ports`: most runs do without.
    from reconciler.aws.analyzer import AwsAnalyzer
    from reconciler.aws.sessions import Connections

    return AwsAnalyzer(Connections(manifest.stack, notify))


def analyzed(plan: Plan, held: Guardrails, analyzer: Analyzer) -> Plan:
    """Return a plan with what there is to say of all documents that it writes, and of what they newly allow.

    Raises:
        AwsError: Access Analyzer cannot be asked.

    """
    accounts = held.manifest.accounts
    written = {change.address: change.after for change in plan.changes if change.after is not None}
    found = [*_opinions(_documents(written), accounts, analyzer)]
    for change in plan.changes:
        if change.before is not None and change.after is not None:
            found += _new(change.address, change.before, change.after, accounts[change.address.account], analyzer)
    return replace(plan, findings=(*plan.findings, *_judged(found, held)))


def analyzed_manifest(held: Guardrails, analyzer: Analyzer) -> tuple[Finding, ...]:
    """Return what there is to say of all documents of the manifests; what AWS has is not read. Raises as `analyzed`."""
    manifest = held.manifest
    grants = [grant for grant in manifest.grants if not grant.expired(int(held.now.timestamp()))]
    state = desired_state(grants, manifest.accounts, stack=manifest.stack)
    ours = {address: found for address, found in state.items() if manifest.accounts[address.account].managed}
    return tuple(_judged(_opinions(_documents(ours), manifest.accounts, analyzer), held))


def _documents(state: State) -> Iterator[_Document]:
    for address, found in state.items():
        match found:
            case Role():
                yield _Document(address, found.grant, found.trust_policy, trust=True)
                for name, document in sorted(found.inline_policies.items()):
                    yield _Document(address, found.grant, document, policy=name)
            case CallerPolicy() | ManagedPolicy():
                yield _Document(address, found.grant, found.document)


_Found = tuple[str, Level, str, str, _Document, Spot]
"""Rule, level, message, what to do, the document, and where in its grant."""


def _opinions(documents: Iterable[_Document], accounts: Mapping[str, Account], analyzer: Analyzer) -> Iterator[_Found]:
    """Yield what there is to say of documents; of equal ones it is asked once."""
    asked: dict[tuple[PolicyDocument, bool], tuple[Opinion, ...]] = {}
    for one in documents:
        key = (one.document, one.trust)
        if key not in asked:
            asked[key] = analyzer.validate(accounts[one.address.account], one.document, trust=one.trust)
        for opinion in asked[key]:
            level = _LEVELS.get(opinion.kind, Level.WARN)
            words = f"{opinion.code}: {opinion.details}"
            yield ANALYZER, level, words, f"see {opinion.link}", one, _spot(one, opinion)


def _spot(one: _Document, opinion: Opinion) -> Spot:
    if one.trust or not one.policy:
        return Spot(("from",))
    policy = "" if one.policy == INLINE_POLICY else one.policy
    return Spot(policy=policy, statement=opinion.statement, element=opinion.element)


def _new(address: Address, before: Resource, after: Resource, account: Account, analyzer: Analyzer) -> Iterator[_Found]:
    """Yield what a change newly allows, by its trust policy and by its permissions as a whole."""
    for trust in (True, False):
        old, new = (_together(_documents({address: found}), trust=trust) for found in (before, after))
        if old is None or new is None or old == new:
            continue
        for why in analyzer.new_access(account, new, old, trust=trust):
            what = "who may assume it" if trust else "what it allows"
            words = f"more than AWS has now, in {what}: {why}"
            yield NEW_ACCESS, Level.WARN, words, by_id()[NEW_ACCESS].mend, _Document(address, after.grant, new), Spot()


def _together(documents: Iterable[_Document], *, trust: bool) -> PolicyDocument | None:
    """Return the statements of all trust policies, or all others, as one document; None where there is none."""
    statements: list[Any] = []
    for one in documents:
        if one.trust is trust and one.document.unreadable() is None:
            statements += one.document.without_sids().statements()
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": statements}) if statements else None


def _judged(found: Iterable[_Found], held: Guardrails) -> Iterator[Finding]:
    """Yield findings; levels and exceptions of the team count as for every rule. What many accounts share is one."""
    said: set[tuple[object, ...]] = set()
    for rule, level, message, way_out, one, spot in found:
        level = held.policies.levels.get(rule, level)
        exempt = {each.grant for each in held.policies.exemptions if each.rule == rule}
        severity: Severity | None = SEVERITIES.get(level)
        if severity is None or exempt & {"*", one.grant} or (rule, message, one.grant, spot) in said:
            continue
        said.add((rule, message, one.grant, spot))
        place = held.places.place(one.grant, spot) if one.grant else None
        yield Finding(rule, severity, message, way_out, address=one.address, grant=one.grant, place=place)
