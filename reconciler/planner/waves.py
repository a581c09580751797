"""Which step goes in which wave of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model import CANARY, AccountFacts, Rollout, Step, Wave


def in_waves(
    steps: tuple[Step, ...], facts: Mapping[str, AccountFacts], rollout: Rollout | None
) -> tuple[tuple[Step, ...], tuple[Wave, ...]]:
    """Return the steps, each with its wave, and the waves in which there are any; none without a rollout.

    A step goes in the wave of its account, or in the latest wave of a step that it requires. `steps` are in an order in
    which each comes after those that it requires; `facts` are of their accounts.
    """
    if rollout is None:
        return steps, ()
    of_account = _waves_of(steps, facts, rollout)
    stages: list[int] = []
    accounts: dict[int, set[str]] = {}
    for step in steps:
        account = step.change.address.account
        stages.append(max([of_account[account], *(stages[required] for required in step.requires)]))
        accounts.setdefault(stages[-1], set()).add(account)
    names = (CANARY, *(f"{percent}%" for percent in rollout.then))
    used = sorted(accounts)
    waves = tuple(Wave(names[stage], tuple(sorted(accounts[stage]))) for stage in used)
    places = {stage: place for place, stage in enumerate(used)}
    return tuple(replace(step, wave=places[stage]) for step, stage in zip(steps, stages, strict=True)), waves


def _waves_of(steps: tuple[Step, ...], facts: Mapping[str, AccountFacts], rollout: Rollout) -> dict[str, int]:
    """Return the wave of each account: 0 for the canary, then by its rank, whose order is the same in every run.

    Accounts in which nothing can begin before others are done come last: they would take a place in a wave and leave
    it empty.
    """
    waits: list[bool] = []
    ahead: set[str] = set()
    for step in steps:
        account = step.change.address.account
        waits.append(any(waits[i] or steps[i].change.address.account != account for i in step.requires))
        if not waits[-1]:
            ahead.add(account)
    ranked = sorted(
        {step.change.address.account for step in steps},
        key=lambda name: (name not in rollout.canary, name not in ahead, facts[name].account.stable_hash(), name),
    )
    # Rounded up, so that the smallest part is one account.
    ends = [-(-len(ranked) * percent // 100) for percent in rollout.then]
    return {
        name: 0 if name in rollout.canary else 1 + next(i for i, end in enumerate(ends) if rank < end)
        for rank, name in enumerate(ranked)
    }
