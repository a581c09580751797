"""A grant for a time, asked for by a new manifest file: whoever reviews and merges it gives it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError
from reconciler.manifest import load
from reconciler.manifest.dump import dump
from reconciler.manifest.patch import patch, text_of, value_at
from reconciler.model import Grant, Manifest, Principal, PrincipalKind
from reconciler.policy.arn import description_error, tag_text_error
from reconciler.policy.decisions import beyond, meanings
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import date_text, instant_text
from reconciler.render.escape import escape
from reconciler.use import chosen
from reconciler.use.narrowed import choose_principal, narrowed, strangers
from reconciler.wording import few

REQUESTER_TAG, REASON_TAG = "requested-by", "request-reason"

_COPIED = (
    "from", "to", "permissions", "policy", "inline_policies", "managed_policies", "permissions_boundary",
    "caller_policy", "require", "trust_conditions", "session", "tags",
)  # fmt: skip
"""What of a grant holds for one that is asked for like it: not what is about its role alone."""

_PERMISSIONS = ("permissions", "policy", "inline_policies", "managed_policies")
_LONGEST_NAME, _LONGEST_TAG, _LONGEST_DESCRIPTION = 64, 256, 1000


@dataclass(frozen=True, slots=True)
class Elevation:
    """What is asked for: a grant like another one, from one moment to another, for somebody and some reason.

    With `actions` on `resources` these are its permissions instead of the other one's, with `principals`, like
    `user/alice`, only these of its callers let in.
    """

    like: str
    starts: int
    expires: int
    reason: str
    requester: str
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requested:
    """The name of a grant that is asked for, the file that it stands in, that file's text, and when it holds.

    `wider` says in words what it allows and the grant that it is like does not, or not for certain. `callers` are whom
    it lets in, with a token of `provider` if there is one; `unchecked` are users among them of whom nobody has looked
    whether they are in a group of the other grant. `cut` says in words where it is shorter than it was asked for.
    """

    grant: str
    file: str
    text: str
    starts: int
    expires: int
    wider: tuple[str, ...] = ()
    callers: tuple[Principal, ...] = ()
    provider: str = ""
    unchecked: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    def trusted_whole(self) -> tuple[str, ...]:
        """Return the accounts that the role trusts as a whole, since no trust policy can name a group."""
        return tuple(sorted({one.account for one in self.callers if one.kind is PrincipalKind.GROUP}))

    def patch(self) -> str:
        """Return the patch that makes the file."""
        return patch("", self.text, self.file, new=True)


def request_grant(paths: Sequence[str], asked: Elevation, file: str | None) -> Requested:
    """Return the manifest file that asks for a grant; it was loaded together with the manifests.

    Without a `file` it lies beside the one that has the other grant.

    Raises:
        UsageError: there is no such grant, or nothing is left of a text that AWS takes; or other permissions are asked
            for than those of a grant that denies something, which the new one would not; or a principal is no caller;
            or the other grant is not in force in that time.
        ManifestError: the manifests, or the new file with them, have problems.

    """
    manifest = load(paths)
    like = _like(manifest, asked.like)
    if asked.actions and meanings(_documents(manifest, like.name), "Deny"):
        raise UsageError(
            f"--action: the grant {like.name} denies something, which one with other permissions would not; leave "
            "--action and --resource out, and narrow the new file by hand"
        )
    asked, cut = _within(like, asked)
    name = _name(like.name, asked, {name for grant in manifest.grants for name in grant.names()})
    target = file or (Path(like.place.file).parent / f"{name}.yaml").as_posix()
    stated = value_at(text_of(like.place.file), ("grants", like.name))
    callers, unchecked = _callers(stated, manifest, like, asked)
    data = _data({**stated, "from": callers}, asked, Path(like.place.file).parent, Path(target).parent)
    text = dump({}, {name: data}, notes={name: [escape(note) for note in _unchecked(unchecked, like.name)]})
    loaded = load(paths, more={target: text})
    let_in = _principals(loaded, name)
    if asked.principals and (more := strangers(_principals(manifest, like.name), let_in, unchecked)):
        raise UsageError(f"--principal: this would let in {few(more)}, too; leave it out, and narrow the file by hand")
    wider = beyond(_documents(loaded, name), _documents(loaded, like.name)) if asked.actions else ()
    provider = like.web_identity.provider if like.web_identity is not None else ""
    return Requested(
        name, target, text, asked.starts, asked.expires, tuple(dict.fromkeys(wider)), let_in, provider, unchecked, cut
    )  # fmt: skip


def _within(like: Grant, asked: Elevation) -> tuple[Elevation, tuple[str, ...]]:
    """Return what is asked for, within the time of the grant that it is like, and in words where that cuts it."""
    starts, expires = max(asked.starts, like.starts or 0), asked.expires
    cut = [] if starts == asked.starts else [f"it begins only with {like.name}, at {instant_text(starts)}"]
    if like.expires is not None and like.expires < expires:
        expires = like.expires
        cut.append(f"it ends with {like.name}, at {instant_text(expires)}")
    if starts >= expires:
        raise UsageError(
            f"the grant {like.name} is not in force from {instant_text(asked.starts)} to "
            f"{instant_text(asked.expires)}; ask for another time with --start and --for"
        )
    return replace(asked, starts=starts, expires=expires), tuple(cut)


def _unchecked(users: Sequence[str], like: str) -> Iterator[str]:
    """Yield what whoever reviews the file has to do, which is said in it."""
    if users:
        yield f"Whether {few(users)} is in a group of {like} was not checked; do so."


def _callers(
    stated: Mapping[str, Any], manifest: Manifest, like: Grant, asked: Elevation
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the `from` of the new grant, and the users in it who may or may not be of a group."""
    if not asked.principals:
        return stated["from"], ()
    if like.web_identity is not None:
        raise UsageError(
            f"--principal: the grant {like.name} is for who has a token of {like.web_identity.provider}; leave it out, "
            "and narrow `subject` in the new file"
        )
    return narrowed(_principals(manifest, like.name), [choose_principal(text) for text in asked.principals])


def _principals(manifest: Manifest, name: str) -> tuple[Principal, ...]:
    """Return the callers of a grant for all its targets."""
    found = (one for grant in manifest.grants if grant.name == name for one in grant.principals)
    return tuple(dict.fromkeys(found))


def _documents(manifest: Manifest, name: str) -> tuple[PolicyDocument, ...]:
    """Return the permissions policies of a grant for all its targets, save managed ones."""
    grants = [grant for grant in manifest.grants if grant.name == name]
    stated = (document for grant in grants for document in (grant.permissions, *grant.inline_policies.values()))
    return tuple(document for document in stated if document is not None)


def _like(manifest: Manifest, text: str) -> Grant:
    if text in manifest.unresolved:
        raise UsageError(f"only the organization knows the accounts of the grant {text}; copy it by hand")
    if "@" in text:
        raise UsageError("name the grant without an account: the new one has the same targets; narrow it in the review")
    return chosen(manifest, [text])[0].grant


def _name(like: str, asked: Elevation, taken: Collection[str]) -> str:
    person = re.sub("[^a-z0-9]+", "-", asked.requester.lower()).strip("-")[:20].strip("-")
    end = "-".join(filter(None, (person, date_text(asked.starts).replace("-", ""))))
    names = (
        f"{like[: _LONGEST_NAME - len(tail)].rstrip('-')}{tail}"
        for tail in (f"-{end}" + (f"-{number}" if number > 1 else "") for number in range(1, len(taken) + 2))
    )
    return next(name for name in names if name not in taken)


def _data(stated: Mapping[str, Any], asked: Elevation, old: Path, new: Path) -> dict[str, Any]:
    """Return what the new file says of the grant; `old` and `new` are the folders of the two files."""
    data = {key: stated[key] for key in _COPIED if key in stated}
    # A role has one grant: the new one has its own, named after it.
    data["to"] = {key: value for key, value in data["to"].items() if key != "role"}
    if asked.actions:
        data = {key: value for key, value in data.items() if key not in _PERMISSIONS}
        data["permissions"] = [{"actions": list(asked.actions), "resources": list(asked.resources)}]
    for policy in (data.get("policy", {}), *data.get("inline_policies", {}).values()):
        if "file" in policy:
            policy["file"] = Path(os.path.relpath(old / policy["file"], new)).as_posix()
    ours = {
        REQUESTER_TAG: _text("--requester", asked.requester, tag_text_error, _LONGEST_TAG),
        REASON_TAG: _text("--reason", asked.reason, tag_text_error, _LONGEST_TAG),
    }
    tags = {key: value for key, value in data.get("tags", {}).items() if key.casefold() not in ours}
    # A variable of ours would be filled in. A description is of fewer letters than a tag, which has the reason anyway.
    description = _taken(asked.reason, description_error, _LONGEST_DESCRIPTION).replace("${", "$ {")
    return {
        **({"description": description} if description else {}),
        "starts": instant_text(asked.starts),
        "expires": instant_text(asked.expires),
        **data,
        "tags": {**tags, **ours},
    }


def _text(option: str, text: str, error: Any, longest: int) -> str:
    """Return a text as `_taken` does; UsageError where nothing is left of it."""
    taken = _taken(text, error, longest)
    if not taken:
        raise UsageError(f"{option}: nothing of it can stand in a tag of AWS; write letters and digits")
    return taken


def _taken(text: str, error: Any, longest: int) -> str:
    """Return a text as AWS takes it: what `error` has something against becomes a space."""
    return " ".join("".join(" " if error(letter) else letter for letter in text).split())[:longest].strip()
