"""Workflow commands, by which GitHub shows what is said of a file at its changed lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath

from reconciler.errors import Place, Problem
from reconciler.model import Finding, Severity
from reconciler.render.escape import escape
from reconciler.render.lint import in_order

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}

# By these GitHub's runner reads a command (actions/toolkit, core/src/command.ts); the sign of the codes comes first.
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def finding_commands(findings: Iterable[Finding], anywhere: str = "") -> str:
    """Return a workflow command a line for each finding; one without a place stands at the file `anywhere`."""
    return "".join(
        _command(
            _COMMANDS[one.severity], one.place or Place(anywhere), one.rule,
            [f"{f'{one.grant}: ' if one.grant else ''}{one.message}", f"What to do: {one.way_out}"],
        )
        for one in in_order(findings)
    )  # fmt: skip


def problem_commands(problems: Iterable[Problem]) -> str:
    """Return a workflow command a line for each problem of manifests."""
    return "".join(_command("error", one.place, one.code, [one.message]) for one in problems)


def _command(name: str, place: Place, title: str, lines: Iterable[str]) -> str:
    properties = {
        "file": PurePath(place.file).as_posix(), "line": str(place.line), "col": str(place.column), "title": title,
    }  # fmt: skip
    told = ",".join(f"{key}={_escaped(escape(value), _PROPERTY)}" for key, value in properties.items())
    return f"::{name} {told}::{_escaped(chr(10).join(map(escape, lines)), _DATA)}\n"


def _escaped(text: str, codes: Mapping[str, str]) -> str:
    return text.translate({ord(sign): code for sign, code in codes.items()})
