"""A plan as data for programs; schemas/plan.schema.json describes it."""

from __future__ import annotations

import json
from typing import Any

from reconciler.model import Action, Change, Finding, Plan, Resource
from reconciler.policy.document import PolicyDocument
from reconciler.render.statements import document_data, masked

FORMAT_VERSION = "1.0"

# Terraform's words for what a change does, so that policy checks written for its plans need little change.
_ACTIONS = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.REPLACE: ["delete", "create"],
    Action.DELETE: ["delete"],
}


def to_json(plan: Plan) -> str:
    """Return the plan as indented JSON that ends with a line break. External ids are hidden."""
    return json.dumps(plan_data(plan), indent=2) + "\n"


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON-ready data."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": plan.stack,
        "fingerprint": plan.fingerprint,
        "resource_changes": [_change(change) for change in plan.changes],
        "findings": [_finding(finding) for finding in plan.findings],
        "summary": {action.value: plan.count(action) for action in Action} | {"refused": plan.refused()},
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "account": change.address.account,
        "type": change.address.kind.value,
        "name": change.address.name,
        "grant": change.grant,
        "change": {
            "actions": _ACTIONS[change.action],
            "attributes": list(change.attributes),
            "before": _resource(change.before),
            "after": _resource(change.after),
            "replaces": str(change.replaces) if change.replaces else None,
            "reason": change.reason,
        },
    }


def _resource(resource: Resource | None) -> Any:
    return None if resource is None else {name: _value(value) for name, value in resource.attributes().items()}


def _value(value: Any) -> Any:
    if isinstance(value, PolicyDocument):
        return document_data(value)
    return {key: _value(item) for key, item in value.items()} if isinstance(value, dict) else value


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "way_out": finding.way_out,
        "address": str(finding.address) if finding.address else None,
        "grant": finding.grant,
        "documents": [{"title": title, "document": masked(doc.data())} for title, doc in finding.documents],
    }
