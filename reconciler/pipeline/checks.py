"""A team's own checks: programs of the checked-out repository that read a plan as JSON and object, or do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.lint import SEVERITIES, Locate, by_id
from reconciler.lint.others import NO_ANSWER, OBJECTION
from reconciler.model import Finding, OwnCheck, Plan, Policies, Spot
from reconciler.pipeline.programs import NoAnswerError, run_program
from reconciler.render.data import to_json

MOST_OBJECTIONS, LONGEST = 100, 4_000
"""How many objections of one check are shown, and how many characters of each."""

_NOT_RUN = {126: "cannot be executed", 127: "was not found"}
"""How a shell ends that could not run a command (POSIX, Shell Command Language, Exit Status)."""

_Objection = Mapping[str, str]


def run_checks(plan: Plan, policies: Policies, locate: Locate) -> Iterator[Finding]:
    """Run the checks one after the other, each in the folder above its `policies`, and yield what they find.

    A check that ends with 0 has nothing against the plan. Any other code is an objection: each line of its output that
    is a JSON object with `message` is one, with `grant` and `what_to_do` if it has them; else all of its text is. What
    gives no answer counts as its check does.
    """
    text = to_json(plan)
    grants = {change.grant for change in plan.changes} | {found.grant for found in plan.desired.values()}
    exempt = {one.grant for one in policies.exemptions if one.rule == OBJECTION}
    for check in policies.checks:
        severity = SEVERITIES[check.level]
        try:
            objections = _objections(check, text)
        except NoAnswerError as error:
            way_out = by_id()[NO_ANSWER].mend
            yield Finding(NO_ANSWER, severity, f"{check.name}: {error}", way_out, place=check.place)
            continue
        # What is let through takes no room from what is not.
        named = ((one.get("grant", "") if one.get("grant", "") in grants else "", one) for one in objections)
        left = [(grant, one) for grant, one in named if not exempt & {"*", grant}]
        for grant, one in left[:MOST_OBJECTIONS]:
            yield Finding(
                OBJECTION, severity, f"{check.name}: {one['message'][:LONGEST]}",
                one.get("what_to_do", by_id()[OBJECTION].mend)[:LONGEST], grant=grant,
                place=(locate(grant, Spot()) if grant else None) or check.place,
            )  # fmt: skip
        if len(left) > MOST_OBJECTIONS:
            message = f"{check.name}: {len(left) - MOST_OBJECTIONS} more objections are not shown"
            yield Finding(OBJECTION, severity, message, by_id()[OBJECTION].mend, place=check.place)


def _objections(check: OwnCheck, text: str) -> list[_Objection]:
    code, out, err = run_program(check, text)
    if code < 0:
        raise NoAnswerError(f"it was ended by the signal {-code}")
    if code in _NOT_RUN:
        raise NoAnswerError(f"it ended with {code}, as a shell does where a command {_NOT_RUN[code]}")
    try:
        said, complained = out.decode().strip(), err.decode(errors="replace").strip()
    except UnicodeDecodeError:
        raise NoAnswerError("what it wrote is no UTF-8 text") from None
    lines = [line.strip() for line in said.split("\n") if line.strip()]
    if code == 0:
        if any(map(_objects, lines)):
            raise NoAnswerError("it objects, and ends with 0; let it end with another code where it objects")
        return []
    if not any(line.startswith("{") for line in lines):
        return [{"message": said or complained or f"it ended with {code} and said nothing"}]
    return [_objection(line) for line in lines]


def _objects(line: str) -> bool:
    try:
        found = _json(line)
    except ValueError:
        return False
    return isinstance(found, dict) and "message" in found


def _json(line: str) -> Any:
    """Return the value of a line; ValueError where it is no JSON, or nested too deeply to be read."""
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _objection(line: str) -> _Objection:
    try:
        found = _json(line)
    except ValueError:
        raise NoAnswerError(f"this line of it is no JSON: {line[:200]}") from None
    if not isinstance(found, dict) or not found.get("message"):
        raise NoAnswerError(f"this line of it is no object with a message: {line[:200]}")
    known = {key: found[key] for key in ("message", "grant", "what_to_do") if key in found}
    if not all(isinstance(value, str) for value in known.values()):
        raise NoAnswerError(f"what this line of it says has to be texts: {line[:200]}")
    return known
