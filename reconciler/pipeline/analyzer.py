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
    before, after = _managed(plan)
    for change in plan.changes:
        if change.before is not None and change.after is not None:
            account = accounts[change.address.account]
            found += _new(change.address, _Side(change.before, before), _Side(change.after, after), account, analyzer)
            found += _unasked(change.address, change.before, change.after, after)
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


@dataclass(frozen=True, slots=True)
class _Side:
    """A resource before or after its change, and what managed policies say then, by their ARNs."""

    resource: Resource
    managed: Mapping[str, PolicyDocument]

    def together(self, address: Address, *, trust: bool) -> PolicyDocument:
        """Return the statements of its trust policy, or of all others, as one document that may allow nothing.

        Those of managed policies count, as far as they are known.
        """
        documents = [one.document for one in _documents({address: self.resource}) if one.trust is trust]
        if isinstance(self.resource, Role) and not trust:
            documents += (self.managed[arn] for arn in sorted(self.resource.managed_policies & self.managed.keys()))
        statements: list[Any] = []
        for document in documents:
            if document.unreadable() is None:
                statements += document.without_sids().statements()
        nothing = {"Effect": "Deny", "Action": "*"} | ({"Principal": "*"} if trust else {"Resource": "*"})
        return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": statements or [nothing]})


def _managed(plan: Plan) -> tuple[dict[str, PolicyDocument], dict[str, PolicyDocument]]:
    """Return what managed policies say before and after a plan: those of the stack, and those that were read."""
    read = {arn: document for facts in plan.live.facts.values() for arn, document in facts.documents.items()}
    before = read | {one.arn: one.document for one in plan.live.state.values() if isinstance(one, ManagedPolicy)}
    written = (change.after for change in plan.changes)
    return before, before | {one.arn: one.document for one in written if isinstance(one, ManagedPolicy)}


def _new(address: Address, before: _Side, after: _Side, account: Account, analyzer: Analyzer) -> Iterator[_Found]:
    """Yield what a change newly allows, by its trust policy and by its permissions as a whole."""
    for trust in (True, False) if isinstance(after.resource, Role) else (False,):
        old, new = (side.together(address, trust=trust) for side in (before, after))
        if old == new:
            continue
        for why in analyzer.new_access(account, new, old, trust=trust):
            what = "who may assume it" if trust else "what it allows"
            yield _more(address, after.resource, f"in {what}: {why}")


def _unasked(
    address: Address, before: Resource, after: Resource, managed: Mapping[str, PolicyDocument]
) -> Iterator[_Found]:
    """Yield what may newly be allowed by what is no document here: a boundary, a managed policy that is not read."""
    if not isinstance(before, Role) or not isinstance(after, Role):
        return
    for arn in sorted(after.managed_policies - before.managed_policies - managed.keys()):
        yield _more(address, after, f"by the managed policy {arn}, which is not read here")
    boundary = before.permissions_boundary
    if boundary is not None and after.permissions_boundary != boundary:
        yield _more(address, after, f"since {boundary} is its permissions boundary no more")


def _more(address: Address, after: Resource, how: str) -> _Found:
    one = _Document(address, after.grant, _NO_DOCUMENT)
    return NEW_ACCESS, Level.WARN, f"more than AWS has now, {how}", by_id()[NEW_ACCESS].mend, one, Spot()


_NO_DOCUMENT = PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": []})


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
