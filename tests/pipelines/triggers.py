"""Which events begin a workflow: as much of GitHub's `on:` as the workflows use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_TYPES = ("opened", "synchronize", "reopened")
"""What `pull_request` is about where a workflow does not say (GitHub's "Events that trigger workflows")."""


def begins(workflow: Mapping[Any, Any], event: str, payload: Mapping[str, Any], ref: str) -> bool:
    """Return whether an event begins a workflow. Another filter than those that are known here is an error."""
    # YAML 1.1, which PyYAML reads, takes the key `on` for true.
    triggers = workflow[True]
    if isinstance(triggers, str | list):
        triggers = dict.fromkeys([triggers] if isinstance(triggers, str) else triggers)
    if event not in triggers:
        return False
    filters = triggers[event] or {}
    if event == "pull_request":
        assert filters.keys() <= {"branches", "types"}, filters
        branch = payload["pull_request"]["base"]["ref"]
        return payload["action"] in filters.get("types", _TYPES) and _fits(branch, filters.get("branches", ["**"]))
    if event == "push":
        assert filters.keys() <= {"branches"}, filters
        kind, name = ref.removeprefix("refs/").split("/", 1)
        # With a filter of branches only, tags begin nothing.
        return "branches" not in filters or (kind == "heads" and _fits(name, filters["branches"]))
    assert event in ("workflow_dispatch", "schedule"), event
    return True


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(_regex(pattern), name) for pattern in patterns)


def _regex(pattern: str) -> str:
    assert not re.search(r"[!?+\[\]]", pattern), f"{pattern} is not known here"
    return re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
