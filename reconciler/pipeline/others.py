"""Who else gets in at the doors that trust a whole account, as far as documents say it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from reconciler.model import Account, Door, PrincipalKind, Side, Way
from reconciler.pipeline.evidence import Evidence
from reconciler.use import Use
from reconciler.use.others import Other, others, unread
from reconciler.use.sides import key_of
from reconciler.wording import few

Settled = tuple[str, str, PrincipalKind, str]
"""A door and who stands before it: the label of the grant, the id of an account, kind and case-folded name."""


@dataclass(slots=True)
class Beside:
    """What is found of those whom no grant names: doors, and by account administrators and policies not read."""

    doors: list[Door] = field(default_factory=list)
    administrators: dict[str, set[str]] = field(default_factory=dict)
    unread: dict[str, set[str]] = field(default_factory=dict)

    def notes(self) -> tuple[str, ...]:
        """Return what is said once of each account, and is no finding."""
        lines = [
            f"administrators of {name} get in, too, where a role trusts the whole account: {few(sorted(each))}"
            for name, each in sorted(self.administrators.items())
        ]
        lines += [
            f"what others of {name} may do by managed policies of AWS is not read: {few(sorted(each))}"
            for name, each in sorted(self.unread.items())
        ]
        return tuple(lines)


def beside(found: Sequence[Use], evidence: Evidence, settled: Collection[Settled]) -> Beside:
    """Return who else gets in by the roles of grants; of whom it is `settled` a better way knows it."""
    result = Beside()
    for use in found:
        for account in _accounts(use, evidence):
            _of_account(use, account, evidence, settled, result)
    return result


def _accounts(use: Use, evidence: Evidence) -> list[Account]:
    """Return the accounts that are read and that the role trusts as a whole, and whose policies are not to choose."""
    whole = {one.account for one in use.grant.principals if one.kind is PrincipalKind.ACCOUNT}
    names = sorted({one.account for one in use.grant.principals} - whole)
    return [evidence.manifest.accounts[name] for name in names if evidence.trusts_all_of(use, name)]


def _of_account(use: Use, account: Account, evidence: Evidence, settled: Collection[Settled], result: Beside) -> None:
    facts, accounts = evidence.live.facts[account.name], evidence.manifest.accounts
    certain: list[Other] = []
    doubtful: list[Other] = []
    for other in others(use, account, facts, accounts):
        trust = evidence.trust_of(use, other.who, other.arn)
        if trust.allowed is False or (use.label, account.id, *key_of(other.who)) in settled:
            continue
        if other.administrator:
            result.administrators.setdefault(account.name, set()).add(other.label())
        elif other.certain and trust.allowed:
            certain.append(other)
        else:
            doubtful.append(other)
    if policies := unread(use, account, facts, accounts):
        result.unread.setdefault(account.name, set()).update(arn.rsplit("/", 1)[-1] for arn in policies)
    if certain or doubtful:
        result.doors.append(_door(use, account, certain, doubtful))


def _door(use: Use, account: Account, certain: Sequence[Other], doubtful: Sequence[Other]) -> Door:
    maybe = tuple(f"{other.words()}: may get in" for other in doubtful)
    caller = Side(True if certain else None, Way.DOCUMENTS, "their own policies let them in")
    trust = Side(True, Way.DOCUMENTS, "its trust policy lets in the whole account")
    wider = tuple(f"{other.words()}: gets in" for other in certain)
    return Door(use.label, f"others of {account.name}", "", False, caller, trust, wider=wider, notes=maybe)
