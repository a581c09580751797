"""The guardrails themselves, as text and as the page docs/rules.md."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.lint.rule import Rule

_HEAD = """\
# Guardrails

Made by `make rules`; do not edit. What a level does, and how a team changes it, stands in
[guardrails.md](guardrails.md).

| rule | level | what is found | in |
|---|---|---|---|
"""


def listed(rules: Sequence[Rule]) -> str:
    """Return a line for each rule: id, level, and what is wrong where it is broken."""
    return "".join(f"{rule.id}  {rule.level:<6}  {rule.title}\n" for rule in rules)


def explained(rule: Rule) -> str:
    """Return all that there is to say of a rule."""
    rows = (
        ("why", rule.why), ("what to do", rule.mend), ("source", rule.source),
        (f"why {rule.level}", rule.level_because), ("looked for in", _reads(rule)),
    )  # fmt: skip
    return f"{rule.id}: {rule.title} ({rule.level})\n" + "".join(f"  {label}: {text}\n" for label, text in rows)


def _reads(rule: Rule) -> str:
    """Return in what a rule is looked for, in words."""
    parts = (
        ("the manifests", rule.of_grant), ("the manifests, with the extra `lint`", rule.of_catalogue),
        ("what AWS has", rule.of_plan),
    )  # fmt: skip
    return ", and ".join(text for text, check in parts if check is not None) or "what others find"


def markdown(rules: Sequence[Rule]) -> str:
    """Return the page of all rules."""
    table = "".join(f"| [{r.id}](#{r.id.lower()}) | {r.level} | {r.title} | {_reads(r)} |\n" for r in rules)
    return _HEAD + table + "".join(_section(rule) for rule in rules)


def _section(rule: Rule) -> str:
    return (
        f"\n## {rule.id}\n\n**{_capital(rule.title)}** ({rule.level}). {_code(rule.why)}\n\n"
        f"- What to do: {_code(rule.mend)}.\n- Source: {rule.source}.\n- Why {rule.level}: {rule.level_because}\n"
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _code(text: str) -> str:
    """Put what a manifest says in code marks: keys with their values in braces, and actions with stars."""
    return re.sub(r"(?<!`)\b(?:[a-z_]+: \{[^}]*\}|[a-z]+:[A-Z*][A-Za-z*]*)(?!`)", lambda m: f"`{m.group()}`", text)
