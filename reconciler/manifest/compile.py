"""One grant of a manifest, as the schema allows it, to a `Grant`; what the schema cannot say is checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.errors import Place, Problem
from reconciler.manifest.callers import Callers
from reconciler.manifest.demands import demands, external_ids_of
from reconciler.manifest.lacking import VariableProblems
from reconciler.manifest.policies import File, compile_permissions, compile_policy, dates, policy_file
from reconciler.manifest.possible import never_met, protected, stated_twice
from reconciler.manifest.selection import Selection, SelectionError
from reconciler.manifest.source import PathTo, Source
from reconciler.manifest.times import contradictions, moment, period
from reconciler.manifest.variables import VariableError, Variables
from reconciler.model import Account, Grant, Principal, UnresolvedError, WebIdentity, validity
from reconciler.ownership import (
    EXPIRY_POLICY,
    RESERVED_TAG_PREFIX,
    REVOKED_SESSIONS_POLICY,
    parse_caller_policy_name,
    role_tags,
)
from reconciler.policy.arn import (
    description_error,
    managed_policy_error,
    name_error,
    path_error,
    tag_text_error,
)
from reconciler.policy.case import fold
from reconciler.policy.conditions import Conditions
from reconciler.policy.document import PolicyDocument

MAX_TAGS = 50
"""Tags on one role (IAM quotas)."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?")


class GrantCompiler:
    """Compiles the grants of one file; appends what is wrong to `problems`.

    A grant may lack what the schema has refused already; it is then checked for the rest. `selection` is None where the
    files that declare accounts could not all be read. What a grant inherits and is wrong is blamed on the defaults.
    """

    def __init__(
        self,
        source: Source,
        root: Path,
        defaults: Source,
        selection: Selection | None,
        problems: list[Problem],
    ) -> None:
        self._source = source
        self._root = root
        self._default_source = defaults
        stated = defaults.data.get("defaults")
        self._defaults: Mapping[str, Any] = stated if isinstance(stated, dict) else {}
        self._selection = selection
        self._problems = problems
        self._files: dict[str, File] = {}
        self._at: PathTo = ()
        self._variables = Variables(None, None, ())
        self._found = VariableProblems()
        self._callers = Callers(self._problem, self._unknown, self._refused)
        self.unresolved: list[str] = []
        """The grants of which only the organization knows the accounts, or what their variables stand for."""

    def compile(self, name: str, raw: Mapping[str, Any]) -> list[Grant]:
        """Return the grant for each of its target accounts; nothing where something is wrong with it."""
        before = len(self._problems)
        self._at, self._found = ("grants", name), VariableProblems()
        raw = {**raw, "from": raw.get("from", {}), "to": raw.get("to", {})}
        sources, targets = self._accounts(raw, "from"), self._accounts(raw, "to")
        grants: list[Grant | None] = []
        for target in targets or (None,):
            of_target = self._sources_of(target, sources) if target and sources else ()
            if target and "oidc" in raw["from"]:
                self._check_managed(target)
            grants.append(self._compile(name, raw, of_target, target))
            self._problems[before:] = self._found.judged(self._problems[before:])
            if len(self._problems) > before or self._found.wrong():
                # What is wrong in one account is so in most; of each it would be said hundreds of times.
                break
        if self._found.unknown():
            self.unresolved.append(name)
        found = (*self._problems[before:], *self._found.problems())
        self._problems[before:] = [replace(problem, grant=name) for problem in found]
        return [grant for grant in grants if grant is not None] if len(self._problems) == before else []

    def _compile(
        self, name: str, stated: Mapping[str, Any], sources: tuple[Account, ...], target: Account | None
    ) -> Grant | None:
        before = len(self._problems)
        sourceless = "oidc" in stated["from"]
        variables = self._variables = Variables(target, target, sources, sourceless=sourceless)
        rest = {key: value for key, value in stated.items() if key != "from"}
        raw = {**variables.fill(rest, self._unknown), "from": stated["from"]}
        moved_from = tuple(entry["from"] for entry in raw.get("moved", ()))
        # A role that has its name from its grant has it from the first one.
        role_name = raw["to"].get("role", moved_from[0] if moved_from else name)
        # The name of a grant is one of a role, too, and was looked at where it stands.
        if "role" in raw["to"] and (error := name_error("role", role_name)):
            self._problem("XG029", ("to", "role"), f"{error}; this is {role_name!r}")
        if error := description_error(raw.get("description", "")):
            self._problem("XG031", ("description",), f"{error}; write it without")
        starts, expires = self._times(raw)
        arguments: dict[str, Any] = {
            **self._who(raw, sources, target),
            "role_path": self._path(raw, target),
            "permissions": self._permissions(raw, target),
            "managed_policies": self._managed_policies(raw, target),
            "permissions_boundary": self._boundary(raw, target),
            "conditions": self._conditions(raw, starts, expires),
            "starts": starts,
            "expires": expires,
            "rotate_every": self._rotate_every(raw),
            "external_ids": external_ids_of(self._inherited(raw, "require")) if "oidc" not in raw["from"] else (),
            "max_session_duration": self._duration(raw),
            "inline_policies": self._inline_policies(raw),
            "managed_caller_policy": raw.get("caller_policy", self._defaults.get("caller_policy")) == "managed",
            "makes_caller_policies": raw.get("caller_policy", self._defaults.get("caller_policy")) != "none",
            "tags": self._tags(raw),
        }
        if len(self._problems) > before or not self._found.empty() or not (sources or sourceless) or target is None:
            return None
        grant = Grant(
            name=name,
            place=self._source.key_place(self._at),
            target=target.name,
            role_name=role_name,
            description=raw.get("description", ""),
            adopt=raw.get("adopt", False),
            moved_from=moved_from,
            prevent_destroy=raw.get("prevent_destroy", False),
            **arguments,
        )
        checks = (("XG034", stated_twice(grant)), ("XG040", never_met(grant)), ("XG041", protected(grant)))
        for code, found in checks:
            for path, message in found:
                self._problem(code, path, message)
        return grant if len(self._problems) == before else None

    def check_defaults(self) -> None:
        """Check what grants inherit, where it stands; whether or not there is a grant."""
        before = len(self._problems)
        self._at, self._found = ("defaults",), VariableProblems()
        path = self._default("path") or "/"
        if error := path_error(path):
            self._problem("XG029", ("path",), f"{error}; this is {path!r}")
        self._times({})
        self._conditions({})
        self._duration({})
        self._tags({})
        # What depends on an account is judged where a grant inherits it.
        self._problems[before:] = (*self._found.judged(self._problems[before:]), *self._found.problems())

    def _problem(self, code: str, path: PathTo, message: str, *, key: bool = False) -> None:
        self._problems.append(Problem(code, message, self._place(path, key=key)))

    def _place(self, path: PathTo, *, key: bool = False) -> Place:
        source, at = self._source, (*self._at, *path)
        if at not in source.values and ("defaults", *path) in self._default_source.values:
            source, at = self._default_source, ("defaults", *path)
        return (source.key_place if key else source.place)(at)

    def _refused(self, *path: str) -> bool:
        """Return whether the manifest states this and the schema has taken it, or all that is in it, out."""
        at: Any = self._source.data
        for key in (*self._at, *path):
            at = at.get(str(key)) if isinstance(at, dict) else None
        whole = (*self._at, *path)
        return whole in self._source.keys and (
            at is None or (at == {} and any(key[:-1] == whole for key in self._source.keys))
        )

    def _inherited(self, raw: Mapping[str, Any], key: str, but: tuple[str, ...] = ()) -> dict[str, Any]:
        default = {name: value for name, value in self._defaults.get(key, {}).items() if name not in but}
        stated = {**default, **raw.get(key, {})}
        filled: dict[str, Any] = self._variables.fill(stated, self._unknown, (key,))
        return filled

    def _default(self, key: str) -> Any:
        return self._variables.fill(self._defaults.get(key), self._unknown, (key,))

    def _unknown(self, path: PathTo, error: VariableError | UnresolvedError) -> None:
        self._found.note(self._place(path), error)

    def _accounts(self, raw: Mapping[str, Any], end: str) -> tuple[Account, ...]:
        stated = raw[end].get("account")
        if stated is None or self._selection is None:
            return ()
        try:
            found = self._selection.select(stated, raw[end].get("exclude", ()))
        except UnresolvedError:
            self.unresolved.append(str(self._at[1]))
            return ()
        except SelectionError as error:
            below = error.path if error.path[:1] == ("exclude",) and not isinstance(stated, dict) else None
            self._problem(error.code, (end, *(below or ("account", *error.path))), str(error))
            return ()
        # An account without an id was refused itself; nothing can be said of its grants.
        return tuple(account for account in found if account.id)

    def _sources_of(self, target: Account, sources: tuple[Account, ...]) -> tuple[Account, ...]:
        """Return the source accounts of one target. Where several are meant, an account is not its own."""
        others = tuple(source for source in sources if source.id != target.id)
        if not others:
            self._problem(
                "XG025", ("to", "account"),
                f"source and target are one account, {target.name}; a grant goes from one account to another, so "
                f"name another one, or leave this one out of several: exclude: [{target.name}]",
            )  # fmt: skip
        before = len(self._problems)
        for source in others:
            self._check_pair(source, target)
            if len(self._problems) > before:
                break  # What is wrong with one is so with many.
        return others

    def _check_pair(self, source: Account, target: Account) -> None:
        if source.partition != target.partition:
            self._problem(
                "XG035", ("to", "account"),
                f"{source.name} is in partition {source.partition} and {target.name} in {target.partition}; "
                "AWS lets no role be assumed across partitions",
            )  # fmt: skip
        elif not source.managed and not target.managed:
            self._problem(
                "XG036", ("to", "account"),
                f"neither {source.name} nor {target.name} is managed here, so nothing could be done; remove the grant",
            )  # fmt: skip

    def _check_managed(self, target: Account) -> None:
        if not target.managed:
            self._problem(
                "XG036", ("to", "account"),
                f"{target.name} is not managed here, and callers by oidc have no other account, so nothing could be "
                "done; remove the grant",
            )  # fmt: skip

    def _who(
        self, raw: Mapping[str, Any], sources: tuple[Account, ...], target: Account | None
    ) -> dict[str, tuple[Principal, ...] | WebIdentity]:
        """Return what a Grant says of its callers."""
        if "oidc" not in raw["from"]:
            return {"principals": self._callers.principals(raw["from"], sources, target)}
        if "caller_policy" in raw:
            self._problem(
                "XG033", ("caller_policy",),
                "callers by oidc are nobody in AWS who could carry a policy; leave caller_policy out", key=True,
            )  # fmt: skip
        return {"web_identity": self._callers.web_identity(raw["from"]["oidc"], target)}

    def _path(self, raw: Mapping[str, Any], target: Account | None) -> str:
        if "path" not in raw["to"]:
            # The path of somebody else's role is theirs, not our habit.
            inherited: str | None = self._default("path") if target is None or target.managed else None
            if error := path_error(inherited or "/"):
                self._problem("XG029", ("path",), f"{error}; this is {inherited!r}")
            return inherited or "/"
        path: str = raw["to"]["path"]
        if error := path_error(path):
            self._problem("XG029", ("to", "path"), f"{error}; this is {path!r}")
        return path

    def _permissions(self, raw: Mapping[str, Any], target: Account | None) -> PolicyDocument | None:
        found = None
        # A grant that says both is refused for that, and what is wrong with either is said too.
        if "policy" in raw:
            found = self._policy(raw["policy"], ("policy",))
        if "permissions" in raw:
            found = compile_permissions(raw["permissions"], self._source, (*self._at, "permissions"), self._problems)
        stated = ("inline_policies", "managed_policies")
        if "policy" in raw or "permissions" in raw or any(self._refused(k) for k in ("permissions", "policy", *stated)):
            return found
        if not any(raw.get(key) for key in stated) and target is not None and target.managed:
            self._problem(
                "XG033",
                (),
                "the grant permits nothing; add permissions, policy, inline_policies or managed_policies",
                key=True,
            )
        return None

    def _policy(self, stated: Mapping[str, Any], path: PathTo) -> PolicyDocument | None:
        file = None
        if "file" in stated:
            name = stated["file"]
            if name not in self._files:
                self._files[name] = policy_file(name, Path(self._source.file).parent, self._root)
            file = self._files[name]
        return compile_policy(stated, self._source, (*self._at, *path), file, self._fill_file, self._problems)

    def _fill_file(self, data: Any, file: Source) -> Any:
        return self._variables.fill(data, lambda path, error: self._found.note(file.place(path), error))

    def _inline_policies(self, raw: Mapping[str, Any]) -> dict[str, PolicyDocument]:
        found: dict[str, PolicyDocument] = {}
        for name, stated in raw.get("inline_policies", {}).items():
            at = ("inline_policies", name)
            if name in (REVOKED_SESSIONS_POLICY, EXPIRY_POLICY) or parse_caller_policy_name(name) is not None:
                self._problem("XG029", at, f"{name} is not a policy for permissions; give it another name", key=True)
            document = self._policy(stated, at)
            if document is not None:
                found[name] = document
        return found

    def _managed_policies(self, raw: Mapping[str, Any], target: Account | None) -> frozenset[str]:
        arns = raw.get("managed_policies", [])
        for index, arn in enumerate(arns):
            self._check_policy_arn(arn, target, ("managed_policies", index))
        return frozenset(arns)

    def _boundary(self, raw: Mapping[str, Any], target: Account | None) -> str | None:
        # As the path: what bounds somebody else's role is theirs to say.
        arn: str | None = raw.get("permissions_boundary")
        if "permissions_boundary" not in raw and (target is None or target.managed):
            arn = self._default("permissions_boundary")
        if arn is not None:
            self._check_policy_arn(arn, target, ("permissions_boundary",))
        return arn

    def _check_policy_arn(self, arn: str, target: Account | None, path: PathTo) -> None:
        if target is None:
            return
        if error := managed_policy_error(arn, partition=target.partition, account_id=target.id):
            self._problem("XG028", path, f"{error}; this is {arn!r}")

    def _times(self, raw: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """Return when the grant begins and ends. No grant begins by default, since each is reviewed by itself."""
        found: list[tuple[PathTo, str]] = []
        starts = moment(raw.get("starts"), ("starts",), found)
        expires = moment(raw["expires"] if "expires" in raw else self._default("expires"), ("expires",), found)
        found += contradictions(starts, expires, prevent_destroy=raw.get("prevent_destroy", False))
        for path, message in found:
            self._problem("XG053", path, message)
        return starts, expires

    def _conditions(self, raw: Mapping[str, Any], starts: int | None = None, expires: int | None = None) -> Conditions:
        # What defaults demand of the callers' account cannot be meant for those of none.
        by_token = "oidc" in raw.get("from", {})
        stated = self._inherited(raw, "require", but=("external_id", "source_org") if by_token else ())
        own = raw.get("trust_conditions", {})
        self._problems += dates(own, self._source, (*self._at, "trust_conditions"))
        return demands(stated, own, validity(starts, expires), self._problem)

    def _rotate_every(self, raw: Mapping[str, Any]) -> int | None:
        stated = raw["rotate"] if "rotate" in raw else self._defaults.get("rotate")
        return None if stated is None else period(stated["every"])

    def _duration(self, raw: Mapping[str, Any]) -> int:
        text = self._inherited(raw, "session").get("max_duration", "1h")
        match = _DURATION.fullmatch(text)
        assert match is not None  # the schema has the same pattern
        seconds = int(match.group(1) or 0) * 3600 + int(match.group(2) or 0) * 60
        if not 3600 <= seconds <= 43200:
            self._problem("XG037", ("session", "max_duration"), f"a session lasts from 1h to 12h; this is {text!r}")
        return seconds

    def _tags(self, raw: Mapping[str, Any]) -> dict[str, str]:
        tags: dict[str, str] = self._inherited(raw, "tags")
        spelt: dict[str, str] = {}
        for key, value in tags.items():
            if error := _tag_error(key, value):
                self._problem("XG030", ("tags", key), error, key=True)
            if key.casefold() in spelt:
                other = spelt[key.casefold()]
                self._problem(
                    "XG030", ("tags", key),
                    f"the tag keys {other!r} and {key!r} differ only in case, which IAM ignores; keep one", key=True,
                )  # fmt: skip
            spelt[key.casefold()] = key
        ours = len(role_tags("", "", prevent_destroy=bool(raw.get("prevent_destroy"))))
        ours += self._rotate_every(raw) is not None
        if len(tags) + ours > MAX_TAGS:
            self._problem(
                "XG030", ("tags",),
                f"a role has at most {MAX_TAGS} tags and xgrant needs {ours} of them; this grant has {len(tags)}",
                key=True,
            )  # fmt: skip
        return tags


def _tag_error(key: str, value: str) -> str | None:
    if not 1 <= len(key) <= 128:
        return f"a tag's key has 1 to 128 characters; this has {len(key)}"
    if len(value) > 256:
        return f"a tag's value has at most 256 characters; this has {len(value)}"
    if fold(key).startswith("aws:"):
        return "tag keys that start with aws: are AWS's own; use another"
    if fold(key).startswith(RESERVED_TAG_PREFIX):
        return f"tag keys that start with {RESERVED_TAG_PREFIX} are xgrant's own; use another"
    return tag_text_error(key) or tag_text_error(value)
