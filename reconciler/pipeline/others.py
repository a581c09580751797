"""Who else gets in at the doors that trust a whole account, as far as documents say it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from reconciler.model import Account, Door, Listed, PrincipalKind, Side, Way
from reconciler.pipeline.evidence import Evidence
from reconciler.use import Use
from reconciler.use.others import (
    ByRole,
    Other,
    by_role,
    label_of,
    may_give_itself,
    others,
    short,
    strangers_of,
    unread,
)
from reconciler.use.sides import key_of

Settled = tuple[str, str, PrincipalKind, str]
"""A door and who stands before it: the label of the grant, the id of an account, kind and case-folded name."""

MOST_ASKED = 100
"""So often AWS's simulator is asked of others at most; each is a call."""


@dataclass(slots=True)
class Beside:
    """What is found of those whom no grant names: doors, and by account what is no finding.

    `administrators` get in, `doubtful` are those of whom that hangs on something, `iam` can let themselves in, and
    `unread` are policies. `asked` counts the calls of the simulator.
    """

    doors: list[Door] = field(default_factory=list)
    administrators: dict[str, set[str]] = field(default_factory=dict)
    doubtful: dict[str, set[str]] = field(default_factory=dict)
    iam: dict[str, set[str]] = field(default_factory=dict)
    unread: dict[str, set[str]] = field(default_factory=dict)
    asked: int = 0

    def notes(self) -> tuple[Listed, ...]:
        """Return what is said once of each account, and is no finding."""
        doubtful = {name: each - self.administrators.get(name, set()) for name, each in self.doubtful.items()}
        rows = (
            ("administrators of {} get in, too, where a role trusts the whole account", self.administrators),
            ("administrators of {} who may get in, which hangs on conditions or on what is not read", doubtful),
            ("who may do all of IAM in {}, and so can let themselves in", self.iam),
            ("what others of {} may do by managed policies of AWS is not read", self.unread),
        )
        return tuple(
            Listed(words.format(name), tuple(sorted(each)))
            for words, by_account in rows
            for name, each in sorted(by_account.items())
            if each
        )


def beside(found: Sequence[Use], evidence: Evidence, settled: Collection[Settled]) -> Beside:
    """Return who else gets in by the roles of grants; of whom it is `settled` a better way knows it."""
    by_account: dict[str, list[Use]] = {}
    for use in found:
        for account in _accounts(use, evidence):
            by_account.setdefault(account.name, []).append(use)
    result = Beside()
    for name, several in sorted(by_account.items()):
        _of_account(evidence.manifest.accounts[name], several, evidence, settled, result)
    return result


def _accounts(use: Use, evidence: Evidence) -> list[Account]:
    """Return the accounts that are read and that the role trusts as a whole, and whose policies are not to choose."""
    whole = {one.account for one in use.grant.principals if one.kind is PrincipalKind.ACCOUNT}
    names = sorted({one.account for one in use.grant.principals} - whole)
    return [evidence.manifest.accounts[name] for name in names if evidence.trusts_all_of(use, name)]


def _of_account(
    account: Account, found: Sequence[Use], evidence: Evidence, settled: Collection[Settled], result: Beside
) -> None:
    facts = evidence.live.facts[account.name]
    known = by_role(facts)
    for use in found:
        _of_use(use, account, known, evidence, settled, result)
    strangers = strangers_of(found, account, facts, evidence.manifest.accounts)
    result.unread[account.name] = {short(arn) for arn in unread(strangers, facts)}
    named = result.administrators.get(account.name, set()) | result.doubtful.get(account.name, set())
    iam = {label_of(key[0], facts.principals[key]) for key in strangers if may_give_itself(facts.held[key])}
    result.iam[account.name] = iam - named


def _of_use(
    use: Use, account: Account, known: ByRole, evidence: Evidence, settled: Collection[Settled], result: Beside
) -> None:
    gets_in: list[tuple[Other, Way]] = []
    may_get_in: list[tuple[Other, Side]] = []
    for other in others(use, account, evidence.live.facts[account.name], evidence.manifest.accounts, known):
        trust = evidence.trust_of(use, other.who, other.arn)
        if trust.allowed is False or (use.label, account.id, *key_of(other.who)) in settled:
            continue
        way = Way.DOCUMENTS
        if other.certain and other.unread and trust.allowed and _simulated(use, account, other, evidence, result):
            other, way = replace(other, unread=frozenset()), Way.SIMULATION
        certain = other.certain and not other.unread and trust.allowed
        if other.administrator:
            named = result.administrators if certain else result.doubtful
            named.setdefault(account.name, set()).add(other.label())
        elif certain:
            gets_in.append((other, way))
        else:
            may_get_in.append((other, trust))
    if gets_in or may_get_in:
        result.doors.append(_door(use, account, gets_in, may_get_in))


def _simulated(use: Use, account: Account, other: Other, evidence: Evidence, result: Beside) -> bool:
    """Return whether AWS's simulator, which knows all policies of somebody, says that they allow it."""
    if result.asked >= MOST_ASKED:
        return False
    result.asked += 1
    return evidence.allows(use, account, other.arn)


def _door(
    use: Use, account: Account, gets_in: Sequence[tuple[Other, Way]], may_get_in: Sequence[tuple[Other, Side]]
) -> Door:
    wider = tuple(f"{other.words()}: gets in" for other, _ in gets_in)
    maybe = tuple(f"{other.words()}: may get in" for other, _ in may_get_in)
    if gets_in:
        way = Way.SIMULATION if all(way is Way.SIMULATION for _, way in gets_in) else Way.DOCUMENTS
        caller = Side(True, way, "their own policies let them in")
        trust = Side(True, Way.DOCUMENTS, "its trust policy lets in the whole account")
    else:
        certain = all(other.certain and not other.unread for other, _ in may_get_in)
        why = "their own policies let them in" if certain else "whether their own policies let them in is not certain"
        caller = Side(True if certain else None, Way.DOCUMENTS, why)
        unsure = [side for _, side in may_get_in if side.allowed is None]
        trust = unsure[0] if unsure else Side(True, Way.DOCUMENTS, "its trust policy lets in the whole account")
    return Door(use.label, f"others of {account.name}", "", False, caller, trust, wider=wider, notes=maybe)
