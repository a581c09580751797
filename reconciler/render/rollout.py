"""In which waves an apply will go, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.model import Plan
from reconciler.render.escape import escape
from reconciler.render.fold import named


def rollout_lines(plan: Plan, *, expand: bool = False) -> Iterator[str]:
    """Yield a line for the rollout and one for each wave, without a line break; nothing for a plan without waves.

    Of many accounts a few are named and the others counted, unless it is to `expand`.
    """
    if plan.rollout is None or not plan.waves:
        return
    number, stop_on = len(plan.waves), plan.rollout.stop_on
    until = f"none begins after {stop_on} failure{'s' * (stop_on != 1)}"
    yield f"Rollout in {number} wave{'s' * (number != 1)}, each read back before the next; {until}:"
    for wave in plan.waves:
        yield f"    {wave.name}: {escape(', '.join(wave.accounts) if expand else named(wave.accounts))}"
    if plan.held_back():
        yield f"    nothing beyond the canary will begin: {escape(named(plan.untried()))} of it could not be read"


def rollout_data(plan: Plan) -> dict[str, Any]:
    """Return the rollout and its waves as JSON-ready data below their key; nothing without a rollout."""
    if plan.rollout is None:
        return {}
    waves = [{"name": wave.name, "accounts": list(wave.accounts)} for wave in plan.waves]
    stated = {"canary": sorted(plan.rollout.canary), "then": list(plan.rollout.then), "stop_on": plan.rollout.stop_on}
    return {"rollout": {**stated, "waves": waves}}
