"""`policies/`: what a team says of guardrails. It lies beside the manifests, so whoever reviews them reviews it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reconciler.errors import ManifestError, Place, Problem
from reconciler.lint.others import OF_CHECKS
from reconciler.lint.rule import Rule
from reconciler.manifest.files import manifest_files
from reconciler.manifest.policy_folders import policy_folders, shown
from reconciler.manifest.schema import POLICIES, problems_of
from reconciler.manifest.source import Source, read_source
from reconciler.model import Exemption, Level, OwnCheck, Policies

LONGEST = 366
"""How many days an exception lasts at most: a year, a leap year too, since most teams review access once a year.

One that nobody has to look at again is a rule that is off, and nobody sees it.
"""

_TIMEOUT = 60


def load_policies(
    paths: Iterable[str], *, rules: Mapping[str, Rule], today: str, folder: str | None = None
) -> Policies:
    """Read what is said of guardrails for manifests at these paths; nothing is said where no folder is.

    `rules` are those that there are, by their ids, `today` is like `2026-12-31`. A `folder` that is named is the only
    one that counts, and has to be there. Of several folders the outermost rules: see `_Joined`.

    Raises:
        ManifestError: with every problem. An exception that has ended is none, it is among those `ended`.

    """
    problems: list[Problem] = []
    folders = policy_folders(paths, problems) if folder is None else [Path(folder)]
    joined = _Joined(rules, today, problems)
    # The outermost first: what it says binds the others.
    for inner, each in enumerate(reversed(folders)):
        joined.add(each, _sources(each, problems), outermost=inner == 0)
    if problems:
        raise ManifestError(tuple(problems))
    return joined.policies(tuple(map(shown, folders)))


def _sources(folder: Path, problems: list[Problem]) -> list[Source]:
    sources: list[Source] = []
    for file, _ in manifest_files([shown(folder)], problems):
        try:
            source = read_source(file, str(file))
        except ManifestError as error:
            problems.extend(error.problems)
            continue
        wrong = problems_of(source, schema=POLICIES)
        problems.extend(problem for _, problem in wrong)
        if not wrong:
            sources.append(source)
    return sources


class _Joined:
    """What the files of all folders say, from the outermost folder inwards.

    Whoever may write the outermost one has the last word: a folder further in may raise levels and add checks. It may
    not lower a level that was set further out, or is a rule's own, nor have an exception from what is denied there.
    """

    def __init__(self, rules: Mapping[str, Rule], today: str, problems: list[Problem]) -> None:
        self._rules = rules
        self._today = today
        self._problems = problems
        self._levels: dict[str, Level] = {}
        self._places: dict[str, Place] = {}
        self._exemptions: list[Exemption] = []
        self._checks: list[OwnCheck] = []

    def policies(self, folders: tuple[str, ...]) -> Policies:
        """Return what all folders say."""
        ended = tuple(one for one in self._exemptions if one.until < self._today)
        return Policies(
            self._levels, tuple(one for one in self._exemptions if one not in ended), tuple(self._checks), self._places,
            folders, ended,
        )  # fmt: skip

    def add(self, folder: Path, sources: Iterable[Source], *, outermost: bool) -> None:
        """Add what the files of a folder say."""
        outer = None if outermost else dict(self._levels)
        here: dict[str, Place] = {}
        for source in sources:
            for rule, stated in source.data.get("rules", {}).items():
                self._rule(rule, Level(stated["level"]), source.key_place(("rules", rule)), here, outer)
            for index, stated in enumerate(source.data.get("exceptions", ())):
                self._exemption(stated, source, index, outer)
            # The folder that a check runs in is the one above its own.
            above = str(folder.absolute().parent)
            self._checks += [_check(one, source, i, above) for i, one in enumerate(source.data.get("checks", ()))]

    def _rule(
        self, rule: str, level: Level, place: Place, here: dict[str, Place], outer: Mapping[str, Level] | None
    ) -> None:
        known = self._known(rule, place)
        if rule in OF_CHECKS:
            self._problem("XG061", f"each check states its level itself; leave {rule} out", place)
        elif rule in here:
            self._problem("XG061", f"{rule} stands already at {here[rule]}; keep one", place)
        elif known and outer is not None and _RANK[level] < _RANK[self._level(rule, outer)]:
            by = f"at {self._places[rule]}" if rule in self._places else "by itself"
            message = (
                f"{rule} is {self._level(rule, outer)} {by}, and a folder further in may only raise that; set it in "
                "the outermost folder, or leave it out"
            )
            self._problem("XG065", message, place)
        here[rule] = place
        self._levels[rule], self._places[rule] = level, place

    def _exemption(
        self, stated: Mapping[str, Any], source: Source, index: int, outer: Mapping[str, Level] | None
    ) -> None:
        at = ("exceptions", index)
        rule = stated["rule"]
        known = self._known(rule, source.place((*at, "rule")))
        if known and outer is not None and self._level(rule, outer) is Level.DENY:
            message = f"{rule} is denied further out, so an exception from it stands in the outermost folder; move it"
            self._problem("XG065", message, source.place((*at, "rule")))
        self._until(stated["until"], source.place((*at, "until")))
        self._exemptions.append(Exemption(place=source.place(at), **stated))

    def _until(self, until: str, place: Place) -> None:
        try:
            last = date.fromisoformat(until)
        except ValueError:
            self._problem("XG062", f"there is no day {until}; mend it", place)
            return
        latest = date.fromisoformat(self._today) + timedelta(days=LONGEST)
        if last > latest:
            message = f"an exception lasts at most {LONGEST} days; write {latest} or earlier, and look at it then"
            self._problem("XG064", message, place)

    def _known(self, rule: str, place: Place) -> bool:
        if rule not in self._rules:
            self._problem("XG060", f"there is no guardrail {rule}; `xgrant lint --list` shows all", place)
        return rule in self._rules

    def _level(self, rule: str, levels: Mapping[str, Level]) -> Level:
        return levels.get(rule, self._rules[rule].level)

    def _problem(self, code: str, message: str, place: Place) -> None:
        self._problems.append(Problem(code, message, place))


_RANK = {level: rank for rank, level in enumerate((Level.OFF, Level.ADVICE, Level.WARN, Level.DENY))}


def _check(stated: Mapping[str, Any], source: Source, index: int, folder: str) -> OwnCheck:
    run = tuple(stated["run"])
    return OwnCheck(
        stated.get("name", run[0].rsplit("/", 1)[-1]), run, Level(stated.get("level", Level.DENY)),
        stated.get("timeout", _TIMEOUT), source.place(("checks", index)), folder,
    )  # fmt: skip
