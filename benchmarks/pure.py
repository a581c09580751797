"""What needs no network, alone: `python -m benchmarks.pure MANIFEST` prints as JSON how long each stage takes.

The stages are those of a first apply, where every grant is new, which is the most there is to be done; and the
comparison with accounts that have all of it already.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from reconciler.desired import desired_state
from reconciler.manifest import load
from reconciler.model import AccountFacts, Live, Manifest, PrincipalKind
from reconciler.planner import plan
from reconciler.policy.arn import iam_arn
from reconciler.rules import RULES

T = TypeVar("T")


def main() -> None:
    """Time the stages."""
    times: dict[str, float] = {}

    def timed(stage: str, call: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = call()
        times[stage] = time.perf_counter() - start
        return result

    manifest = timed("validate", lambda: load([sys.argv[1]]))
    desired = timed("desired", lambda: desired_state(manifest.grants, manifest.accounts, stack=manifest.stack))
    facts = facts_of(manifest)
    new = timed("diff", lambda: plan(desired, Live({}, facts), stack=manifest.stack, rules=RULES))
    assert len(new.changes) == 2 * len(manifest.grants), new.findings
    assert not new.refused(), new.findings
    standing = desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)
    same = timed("diff without a difference", lambda: plan(desired, Live(standing, facts), stack="bench", rules=RULES))
    assert not same.changes
    print(json.dumps(times))


def facts_of(manifest: Manifest) -> dict[str, AccountFacts]:
    """Return what is known of accounts in which all callers are there."""
    callers: dict[str, dict[tuple[PrincipalKind, str], str]] = {name: {} for name in manifest.accounts}
    for principal in (principal for grant in manifest.grants for principal in grant.principals):
        account = manifest.accounts[principal.account]
        arn = iam_arn(account.partition, account.id, principal.kind, principal.path, principal.name)
        callers[account.name][principal.kind, principal.name.casefold()] = arn
    return {
        name: replace(AccountFacts(account), principals=callers[name]) for name, account in manifest.accounts.items()
    }


if __name__ == "__main__":
    main()
