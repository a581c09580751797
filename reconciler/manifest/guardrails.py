"""`policies/`: what a team says of guardrails. It lies beside the manifests, so whoever reviews them reviews it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from reconciler.errors import ManifestError, Place, Problem
from reconciler.lint.others import OF_CHECKS
from reconciler.manifest.files import SUFFIXES, manifest_files
from reconciler.manifest.schema import POLICIES, problems_of
from reconciler.manifest.source import Source, read_source
from reconciler.model import Exemption, Level, OwnCheck, Policies

FOLDER = "policies"
"""What the folder is called."""

_TIMEOUT = 60


def policies_folder(path: str) -> Path | None:
    """Return the folder `policies` for manifests at a path; None if there is none.

    It is the nearest one that has a file *.yaml: for a manifest file in its folder, else beside the directory, and from
    there on upwards to the top of the git repository. Outside of a repository nothing above is looked at.
    """
    named = Path(path).resolve()
    top = next((above for above in (named, *named.parents) if (above / ".git").exists()), None)
    for folder in _around(named, top):
        found = folder / FOLDER
        # A directory of manifests may have a folder of policy documents of that name in it, which is not ours.
        if found != named and found.is_dir() and any(_files(found)):
            return found
    return None


def _around(named: Path, top: Path | None) -> Iterator[Path]:
    directory = named
    if not named.is_dir():
        directory = named.parent
        yield directory
    if top is None:
        yield directory.parent
        return
    for folder in directory.parents:
        if folder.is_relative_to(top):
            yield folder


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))


def load_policies(paths: Iterable[str], *, rules: Collection[str], today: str) -> Policies:
    """Read what is said of guardrails for manifests at these paths; nothing is said where no folder is.

    `rules` are the ids that there are, `today` is like `2026-12-31`.

    Raises:
        ManifestError: with every problem; an exception that has ended is one.

    """
    folders = dict.fromkeys(found for path in paths if (found := policies_folder(path)) is not None)
    if not folders:
        return Policies()
    problems: list[Problem] = []
    sources: list[Source] = []
    for file, _ in manifest_files([_shown(folder) for folder in folders], problems):
        try:
            source = read_source(file, str(file))
        except ManifestError as error:
            problems.extend(error.problems)
            continue
        wrong = problems_of(source, schema=POLICIES)
        problems.extend(problem for _, problem in wrong)
        if not wrong:
            sources.append(source)
    policies = _joined(sources, _shown(next(iter(folders)).parent), problems, rules=rules, today=today)
    if problems:
        raise ManifestError(tuple(problems))
    return policies


def _shown(folder: Path) -> str:
    """Return a folder as people name it: from where they are, if it is below."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _joined(
    sources: Iterable[Source], folder: str, problems: list[Problem], *, rules: Collection[str], today: str
) -> Policies:
    levels: dict[str, Level] = {}
    places: dict[str, Place] = {}
    exemptions: list[Exemption] = []
    checks: list[OwnCheck] = []
    for source in sources:
        for rule, stated in source.data.get("rules", {}).items():
            place = source.key_place(("rules", rule))
            _known(rule, place, rules, problems)
            if rule in OF_CHECKS:
                problems.append(Problem("XG061", f"each check states its level itself; leave {rule} out", place))
            if rule in places:
                problems.append(Problem("XG061", f"{rule} stands already at {places[rule]}; keep one", place))
            levels[rule], places[rule] = Level(stated["level"]), place
        for index, stated in enumerate(source.data.get("exceptions", ())):
            exemptions.append(_exemption(stated, source, index, problems, rules=rules, today=today))
        checks += [_check(stated, source, index) for index, stated in enumerate(source.data.get("checks", ()))]
    return Policies(levels, tuple(exemptions), tuple(checks), places, folder)


def _known(rule: str, place: Place, rules: Collection[str], problems: list[Problem]) -> None:
    if rule not in rules:
        message = f"there is no guardrail {rule}; `xgrant lint --list` shows all"
        problems.append(Problem("XG060", message, place))


def _exemption(
    stated: Mapping[str, Any], source: Source, index: int, problems: list[Problem], *, rules: Collection[str],
    today: str,
) -> Exemption:  # fmt: skip
    at = ("exceptions", index)
    _known(stated["rule"], source.place((*at, "rule")), rules, problems)
    until = source.place((*at, "until"))
    try:
        date.fromisoformat(stated["until"])
    except ValueError:
        problems.append(Problem("XG062", f"there is no day {stated['until']}; mend it", until))
    else:
        if stated["until"] < today:
            whose = "all grants" if stated["grant"] == "*" else stated["grant"]
            message = (
                f"the exception of {whose} from {stated['rule']} has ended on {stated['until']}; mend what it was for, "
                f"or ask {stated['owner']} whether it goes on"
            )
            problems.append(Problem("XG063", message, until))
    return Exemption(place=source.place(at), **stated)


def _check(stated: Mapping[str, Any], source: Source, index: int) -> OwnCheck:
    run = tuple(stated["run"])
    return OwnCheck(
        stated.get("name", run[0].rsplit("/", 1)[-1]), run, Level(stated.get("level", Level.DENY)),
        stated.get("timeout", _TIMEOUT), source.place(("checks", index)),
    )  # fmt: skip
