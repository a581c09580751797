"""The `from` of a grant: principals of its source accounts, or callers with a token of an OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from reconciler.manifest.source import PathTo
from reconciler.manifest.variables import Variables, Wrong
from reconciler.model import Account, Principal, PrincipalKind, WebIdentity
from reconciler.policy.arn import name_error, path_error, split_path
from reconciler.policy.document import listed
from reconciler.policy.permission_sets import permission_set_error
from reconciler.policy.subjects import subject_error
from reconciler.policy.web_identity import GITHUB_AUDIENCE, audience_error, provider_error

_NAMED = {"users": PrincipalKind.USER, "groups": PrincipalKind.GROUP, "roles": PrincipalKind.ROLE}
_KEYS = (*_NAMED, "permission_sets")


class Tell(Protocol):
    """Is told what is wrong with a grant."""

    def __call__(self, code: str, path: PathTo, message: str, *, key: bool = False) -> None:
        """Note a message on what stands at a path below the grant; with `key`, on the key and not on the value."""
        ...


class Callers:
    """Compiles the `from` of grants. `wrong` is told of variables, `tell` of all else.

    `refused` says whether the schema has taken out what stands at a path.
    """

    def __init__(self, tell: Tell, wrong: Wrong, refused: Callable[..., bool]) -> None:
        self._tell = tell
        self._wrong = wrong
        self._refused = refused
        self._told = 0

    def principals(
        self, stated: Mapping[str, Any], sources: tuple[Account, ...], target: Account | None
    ) -> tuple[Principal, ...]:
        """Return the principals of all source accounts; of one that is not known, if there is none."""
        found: list[Principal] = []
        before = self._told
        for source in sources or (None,):
            of_source = Variables(source, target, sources, source)
            raw = of_source.fill(stated, lambda path, error: self._wrong(("from", *path), error))
            found += [replace(principal, account=source.name if source else "") for principal in self._principals(raw)]
            if source is not None and raw.get("entire_account"):
                found.append(Principal(PrincipalKind.ACCOUNT, source.id, account=source.name))
            if self._told > before:
                break  # What is wrong with one is so with many.
        return tuple(found)

    def web_identity(self, stated: Mapping[str, Any], target: Account | None) -> WebIdentity:
        """Return whose tokens are taken; the provider is the one of that name in the target account."""
        variables = Variables(target, target, (), sourceless=True, parts=True)
        raw = variables.fill(stated, lambda path, error: self._wrong(("from", "oidc", *path), error))
        audiences, subjects = listed(raw.get("audience", GITHUB_AUDIENCE)), listed(raw["subject"])
        identity = WebIdentity(raw["provider"], tuple(audiences), tuple(subjects))
        self._check(identity, raw)
        return identity

    def _check(self, identity: WebIdentity, raw: Mapping[str, Any]) -> None:
        if error := provider_error(identity.provider):
            self._problem("XG050", ("oidc", "provider"), error)
        for index, text in enumerate(identity.audiences):
            if error := audience_error(text):
                self._problem("XG050", self._at(raw, "audience", index), f"{error}; this is {text!r}")
        for index, text in enumerate(identity.subjects):
            if error := subject_error(identity.provider, text):
                self._problem("XG050", self._at(raw, "subject", index), f"{error}; this is {text!r}")

    @staticmethod
    def _at(raw: Mapping[str, Any], key: str, index: int) -> PathTo:
        return ("oidc", key, index) if isinstance(raw[key], list) else ("oidc", key)

    def _problem(self, code: str, path: PathTo, message: str, *, key: bool = False) -> None:
        self._told += 1
        self._tell(code, ("from", *path), message, key=key)

    def _principals(self, raw: Mapping[str, Any]) -> tuple[Principal, ...]:
        found = (*self._named(raw), *self._permission_sets(raw))
        if any(self._refused("from", key) for key in (*_KEYS, "entire_account", "services")):
            return ()
        named = any(key in raw for key in _KEYS)
        if raw.get("entire_account") and named:
            self._problem(
                "XG033", ("entire_account",),
                "entire_account trusts everybody that account lets in; name principals or trust all, not both",
            )  # fmt: skip
        elif raw and not raw.get("entire_account") and not named:
            self._problem(
                "XG033", (),
                "nobody is named; name users, groups, roles or permission_sets, or say entire_account: true", key=True,
            )  # fmt: skip
        return found

    def _named(self, raw: Mapping[str, Any]) -> tuple[Principal, ...]:
        found: dict[tuple[str, str], Principal] = {}
        for key, kind in _NAMED.items():
            for index, text in enumerate(raw.get(key, ())):
                path, name = split_path(text)
                if text.startswith("arn:"):
                    message = f"write the name, with its path before it, and not the ARN: {text.split('/', 1)[-1]}"
                    self._problem("XG029", (key, index), message)
                elif error := path_error(path) or name_error(kind, name):
                    self._problem("XG029", (key, index), f"{error}; this is {text!r}")
                elif (kind, name.casefold()) in found:
                    self._problem("XG029", (key, index), f"the {kind} {name} is named twice; IAM ignores case and path")
                else:
                    found[kind, name.casefold()] = Principal(kind, name, path)
        return tuple(found.values())

    def _permission_sets(self, raw: Mapping[str, Any]) -> tuple[Principal, ...]:
        found: dict[str, Principal] = {}
        for index, name in enumerate(raw.get("permission_sets", ())):
            if error := permission_set_error(name):
                self._problem("XG029", ("permission_sets", index), f"{error}; this is {name!r}")
            elif name in found:
                self._problem("XG029", ("permission_sets", index), f"the permission set {name} is named twice")
            else:
                found[name] = Principal(PrincipalKind.PERMISSION_SET, name)
        return tuple(found.values())
