"""A plan as data for programs; schemas/plan.schema.json describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reconciler.model import AccountFacts, Action, Change, Finding, Plan, Resource, Role, resource_fingerprint
from reconciler.policy.document import PolicyDocument
from reconciler.render.escape import without_commands
from reconciler.render.rollout import rollout_data
from reconciler.render.statements import Masks, document_data, masked

FORMAT_VERSION = "1.3"

# Terraform's words for what a change does, so that policy checks written for its plans need little change.
ACTIONS = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.REPLACE: ["delete", "create"],
    Action.DELETE: ["delete"],
    Action.ADOPT: ["update"],
}


def to_json(plan: Plan, shard: Mapping[str, Any] | None = None) -> str:
    """Return the plan as indented JSON that ends with a line break. External ids are hidden.

    `shard` says which part of the accounts it is of, if not of all.
    """
    return dumps(plan_data(plan) | ({"shard": shard} if shard is not None else {}))


def dumps(data: Any) -> str:
    """Return data as indented JSON in plain ASCII that ends with a line break."""
    # The one control character that JSON leaves as it is.
    return without_commands(json.dumps(data, indent=2).replace("\x7f", "\\u007f")) + "\n"


def plan_data(plan: Plan, *, again: bool = False) -> dict[str, Any]:
    """Return the plan as JSON-ready data; `again` is for a plan that was made from such data."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": plan.stack,
        "complete": plan.complete(),
        "accounts": [_account(facts) for _, facts in sorted(plan.live.facts.items()) if not facts.elsewhere],
        "fingerprint": plan.fingerprint,
        "resource_changes": [_change(change, again=again) for change in plan.changes],
        "findings": [finding_data(finding, again=again) for finding in plan.findings],
        "summary": {action.value: plan.count(action) for action in Action}
        | {"wanted": len(plan.wanted()), "owned": plan.owned, "refused": plan.refused()},
        **rollout_data(plan),
    }


def _account(facts: AccountFacts) -> dict[str, Any]:
    account = facts.account
    return {
        "name": account.name,
        "id": account.id,
        "managed": account.managed,
        "read": account.managed and not facts.error,
        "partition": account.partition,
        "error": facts.error,
    }


def _change(change: Change, *, again: bool) -> dict[str, Any]:
    # Of each change on its own, so that what is shown of it does not depend on the other changes.
    masks = Masks(again=again)
    return {
        "address": str(change.address),
        "account": change.address.account,
        "type": change.address.kind.value,
        "name": change.address.name,
        "grant": change.grant,
        "change": {
            "action": change.action.value,
            "actions": ACTIONS[change.action],
            "attributes": list(change.attributes),
            "before": _resource(change.before, masks),
            "after": _resource(change.after, masks),
            "before_fingerprint": resource_fingerprint(change.before) if change.before else None,
            "after_fingerprint": resource_fingerprint(change.after) if change.after else None,
            "replaces": str(change.replaces) if change.replaces else None,
            "reason": change.reason,
            **_for_merging(change),
        },
    }


def _for_merging(change: Change) -> dict[str, Any]:
    """Return what shows in no attribute, and what merge has to know."""
    moved = list(change.after.moved_from) if isinstance(change.after, Role) else []
    found = {"moved_from": moved, "withdrawn": list(change.withdrawn)}
    return {key: value for key, value in found.items() if value}


def _resource(resource: Resource | None, masks: Masks) -> Any:
    return None if resource is None else {name: _value(value, masks) for name, value in resource.attributes().items()}


def _value(value: Any, masks: Masks) -> Any:
    if isinstance(value, PolicyDocument):
        return document_data(value, masks)
    return {key: _value(item, masks) for key, item in value.items()} if isinstance(value, dict) else value


def finding_data(finding: Finding, *, again: bool = False) -> dict[str, Any]:
    """Return a finding as JSON-ready data; `again` as for a plan."""
    place = finding.place
    documents = [
        {"title": title, "document": masked(doc.data(), Masks(again=again))} for title, doc in finding.documents
    ]
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "way_out": finding.way_out,
        "address": str(finding.address) if finding.address else None,
        "grant": finding.grant,
        "documents": documents,
        "acceptable": finding.acceptable,
        "accepted": finding.accepted,
        **({} if place is None else {"place": {"file": place.file, "line": place.line, "column": place.column}}),
    }
