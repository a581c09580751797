"""Guardrails: what grants should not do, though AWS would take it. A rule decides nothing; its level does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.errors import Place
from reconciler.lint import actions, conditions, escalation, keys, live, others, permissions, trust
from reconciler.lint.catalogue import Catalogue
from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.model import Exemption, Finding, Grant, Level, Plan, Policies, Severity, Spot
from reconciler.policy.instants import A_DAY, instant_of

__all__ = [
    "RULES",
    "SEVERITIES",
    "Breach",
    "Catalogue",
    "Locate",
    "Rule",
    "Seen",
    "Shown",
    "by_id",
    "ended",
    "ending",
    "lint",
    "lint_plan",
    "not_run",
    "unused",
]

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            *trust.RULES, *permissions.RULES, *escalation.RULES, *conditions.RULES, *actions.RULES, *keys.RULES,
            *live.RULES, *others.RULES,
        ),
        key=lambda rule: rule.id,
    )
)  # fmt: skip
"""Every guardrail, in the order of their ids."""

SEVERITIES = {Level.DENY: Severity.ERROR, Level.WARN: Severity.WARNING, Level.ADVICE: Severity.NOTE}
"""What a level is among the findings of a plan."""

Locate = Callable[[str, Spot], Place | None]
"""Says where a spot of the grant of a name stands in the files."""


def by_id() -> Mapping[str, Rule]:
    """Return all rules by their ids."""
    return {rule.id: rule for rule in RULES}


Shown = Callable[[Severity, str], bool]
"""Says whether findings of a severity are asked for of the grant of a name; of no grant, the name is empty."""


def _all(severity: Severity, grant: str) -> bool:  # noqa: ARG001 - see `Shown`
    return True


Concerned = Callable[[Breach], bool]
"""Says whether a breach is of what is planned."""


def _every(breach: Breach) -> bool:  # noqa: ARG001 - see `Concerned`
    return True


def lint(seen: Seen, policies: Policies, locate: Locate, shown: Shown = _all) -> tuple[Finding, ...]:
    """Return what is found in manifests, without AWS: levels and exemptions are looked at, places are found.

    What is not to be `shown` is not looked for: most grants do not change, and there may be thousands.
    """
    rules = [rule for rule in RULES if _level(rule, policies) is not Level.OFF]
    breaches = _breaches(rules, seen, lambda rule, grant: shown(SEVERITIES[_level(rule, policies)], grant))
    found = [one for rule in rules for one in _judged(rule, breaches[rule.id], policies, locate, shown)]
    if seen.catalogue is None:
        found += not_run(policies)
    return tuple(found)


def lint_plan(
    plan: Plan, policies: Policies, locate: Locate, shown: Shown = _all, concerned: Concerned = _every
) -> tuple[Finding, ...]:
    """Return what is found in a plan by the rules that need to see what AWS has; see `lint`.

    They look at all that is declared and was read, also where the plan is of some grants only; of what they find that
    is told that is `concerned`.
    """
    found: list[Finding] = []
    for rule in RULES:
        if rule.of_plan is not None and _level(rule, policies) is not Level.OFF:
            found += _judged(rule, filter(concerned, rule.of_plan(plan)), policies, locate, shown)
    return tuple(found)


def unused(policies: Policies, seen: Seen) -> Iterator[Finding]:
    """Yield a finding for each exemption that is for nothing in these manifests, as far as can be told offline."""
    rules = by_id()
    level = _level(rules[others.UNUSED], policies)
    if level is Level.OFF:
        return
    named = {one.rule: rules[one.rule] for one in policies.exemptions}
    told = _breaches([rule for rule in named.values() if _is_offline(rule, seen)], seen)
    for one in policies.exemptions:
        if why := _for_nothing(one, told.get(one.rule), seen):
            message = f"{why}, so the exception is for nothing"
            yield Finding(others.UNUSED, SEVERITIES[level], message, rules[others.UNUSED].mend, place=one.place)


def _for_nothing(one: Exemption, breaches: Iterable[Breach] | None, seen: Seen) -> str | None:
    """Say why an exemption is for nothing; `breaches` are those of its rule, None where they cannot be told offline."""
    if not _is_declared(one, seen):
        return f"no grant {one.grant} is declared"
    unresolved = seen.manifest.unresolved
    if breaches is None or one.grant in unresolved or (one.grant == "*" and unresolved):
        return None
    grants = {breach.grant for breach in breaches}
    if grants and one.grant in (*grants, "*"):
        return None
    return f"{one.rule} is not broken by {'any grant' if one.grant == '*' else f'the grant {one.grant}'}"


def _is_declared(one: Exemption, seen: Seen) -> bool:
    names = {grant.name for grant in seen.manifest.grants}
    return one.grant in names or one.grant in ("*", *seen.manifest.unresolved)


def ended(policies: Policies, seen: Seen) -> Iterator[Finding]:
    """Yield a finding for each exemption that has ended: an error, or a warning where its grant is gone."""
    for one in policies.ended:
        whose = "all grants" if one.grant == "*" else one.grant
        message = f"the exception of {whose} from {one.rule} has ended on {one.until}"
        if _is_declared(one, seen):
            mend = f"mend what it was for, or ask {one.owner} whether it goes on"
            yield Finding(others.ENDED, Severity.ERROR, message, mend, place=one.place)
        else:
            why = f"{message}, and no grant {one.grant} is declared"
            yield Finding(others.ENDED, Severity.WARNING, why, "remove the exception", place=one.place)


def ending(policies: Policies, seen: Seen) -> Iterator[Finding]:
    """Yield a warning for each exemption of what is declared that ends soon."""
    today = instant_of(seen.today)
    for one in policies.exemptions:
        left = (instant_of(one.until) - today) // A_DAY
        if left <= others.NOTICE and _is_declared(one, seen):
            whose = "all grants" if one.grant == "*" else one.grant
            when = "today" if left == 0 else f"in {left} day{'s' * (left != 1)}, on {one.until}"
            message = (
                f"the exception of {whose} from {one.rule} ends {when}; after it validate, lint, plan and apply fail"
            )
            mend = f"mend what it was for, or ask {one.owner} whether it goes on"
            yield Finding(others.ENDING, Severity.WARNING, message, mend, place=one.place)


def _is_offline(rule: Rule, seen: Seen) -> bool:
    """Return whether manifests alone show all that breaks a rule, with what is installed here."""
    by_manifest = rule.of_grant is not None or (rule.of_catalogue is not None and seen.catalogue is not None)
    return by_manifest and rule.of_plan is None


def _breaches(
    rules: Sequence[Rule], seen: Seen, asked: Callable[[Rule, str], bool] = lambda _, __: True
) -> dict[str, list[Breach]]:
    """Return the breaches of rules of grants by the rule's id, each once: a grant over many accounts is many."""
    found: dict[str, dict[Breach, None]] = {rule.id: {} for rule in rules}
    for grant in seen.manifest.grants:
        if grant.expired(seen.now):
            continue  # Nothing of it is wanted any more.
        for rule in (rule for rule in rules if asked(rule, grant.name)):
            for breach in _of_grant(rule, grant, seen):
                found[rule.id][replace(breach, grant=grant.name)] = None
    return {rule: [*several] for rule, several in found.items()}


def _of_grant(rule: Rule, grant: Grant, seen: Seen) -> Iterator[Breach]:
    yield from _found_by(rule, grant, seen)
    if rule.of_permissions:
        for arn in sorted(grant.managed_policies & seen.documents.keys()):
            said = replace(grant, permissions=seen.documents[arn], inline_policies={}, managed_policies=frozenset())
            for breach in _found_by(rule, said, seen):
                yield Breach(f"{arn}: {breach.message}", Spot(("managed_policies", arn)))


def _found_by(rule: Rule, grant: Grant, seen: Seen) -> Iterable[Breach]:
    if rule.of_grant is not None:
        return rule.of_grant(grant, seen)
    if rule.of_catalogue is not None and seen.catalogue is not None:
        return rule.of_catalogue(grant, seen.catalogue)
    return ()


def _judged(
    rule: Rule, breaches: Iterable[Breach], policies: Policies, locate: Locate, shown: Shown
) -> Iterator[Finding]:
    severity = SEVERITIES[_level(rule, policies)]
    exempt = {one.grant for one in policies.exemptions if one.rule == rule.id}
    for breach in breaches:
        if exempt & {"*", breach.grant} or not shown(severity, breach.grant):
            continue
        yield Finding(
            rule.id, severity, breach.message, rule.mend, address=breach.address, grant=breach.grant,
            place=locate(breach.grant, breach.spot) if breach.grant else None,
        )  # fmt: skip


def _level(rule: Rule, policies: Policies) -> Level:
    return policies.levels.get(rule.id, rule.level)


def not_run(policies: Policies) -> Iterator[Finding]:
    """Yield that the rules of the catalogue did not run; what a team denies is not let through by that."""
    rule = by_id()[others.NOT_RUN]
    needing = [one for one in RULES if one.of_catalogue is not None and _level(one, policies) is not Level.OFF]
    denied = [one for one in needing if _level(one, policies) is Level.DENY]
    level = Level.DENY if denied else _level(rule, policies)
    if needing and level is not Level.OFF:
        names = ", ".join(one.id for one in denied or needing)
        message = f"{names} did not run: the catalogue of AWS's actions is not installed"
        yield Finding(rule.id, SEVERITIES[level], message, rule.mend)
