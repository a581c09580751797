"""`xgrant bootstrap`: prints or writes templates of the roles that xgrant works with. Asks nobody."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from reconciler.bootstrap import files, parts_of, templates
from reconciler.bootstrap.explain import access, explain, listing
from reconciler.bootstrap.jobs import Jobs, github, gitlab
from reconciler.bootstrap.options import Options, check
from reconciler.bootstrap.uncovered import callers, uncovered
from reconciler.commands import DEFAULT_PATH
from reconciler.commands.output import say, warn
from reconciler.errors import UsageError, XgrantError
from reconciler.manifest import load
from reconciler.model import Manifest
from reconciler.policy.arn import account_of, iam_arn, split_path
from reconciler.render.escape import escape

_OF_A_STACK = ("member", "stackset", "all")


def run(arguments: argparse.Namespace) -> int:
    """Print or write the templates, and what the manifest has to say of them; UsageError for what cannot be."""
    manifest = _manifest(arguments)
    options = _options(arguments, manifest)
    what = parts_of(arguments.what, options)
    if arguments.explain:
        check(options, what)
        say(explain(options), end="")
        return 0
    if arguments.what == "all" and arguments.output is None:
        raise UsageError("all are several files; say in which directory they go, by -o DIR")
    made = files(templates(what, options), arguments.format)
    if arguments.output is None:
        say(*made.values(), end="")
    else:
        folder = Path(arguments.output)
        _write({folder / name: text for name, text in made.items()}, overwrite=arguments.overwrite)
        say("\n".join(f"wrote {escape(str(folder / name))}" for name in made))
    if options.jobs is not None and "oidc" in what:
        warn("\nBefore you deploy xgrant-oidc:\n\n" + listing(options.jobs.settings), end="")
    if "member" in what:
        warn(f"\nSay in one manifest:\n\n{access(options)}", end="")
    if manifest is not None and {"member", "stackset"} & {*what}:
        for sentence in uncovered(manifest, options):
            warn(escape(f"warning: {sentence}"))
    return 0


def _options(arguments: argparse.Namespace, manifest: Manifest | None) -> Options:
    bucket, prefix = _store(arguments, manifest)
    hub = manifest.default_access.hub if manifest else None
    organization = manifest.organization.id if manifest and manifest.organization else ""
    path = arguments.path
    return Options(
        stack=arguments.stack or (manifest.stack if manifest else ""),
        partition=_partition(manifest),
        hub_account=arguments.hub_account or (account_of(hub.arn) if hub else ""),
        organization=arguments.organization or organization,
        external_id=arguments.external_id,
        path=path,
        callers=tuple(arguments.caller) or (callers(manifest, path) if manifest else ()),
        caller_policies=arguments.caller_policies or (_caller_policies(manifest) if manifest else "inline"),
        boundary_actions=tuple(arguments.boundary_action),
        operators=tuple(arguments.operator),
        operators_mfa=arguments.operator_mfa,
        audit=not arguments.no_audit,
        jobs=_jobs(arguments),
        provider_exists=arguments.provider_exists,
        bucket=bucket,
        prefix=prefix,
        history_days=arguments.history_days,
        units=tuple(arguments.unit),
        delegated_admin=arguments.delegated_admin,
        lists=arguments.list_organization or _lists(manifest),
        listing_role=_listing_role(manifest),
    )


def _manifest(arguments: argparse.Namespace) -> Manifest | None:
    """Return the manifests where they are named, or have to say what the stack is."""
    if not arguments.paths and (arguments.stack or arguments.what not in _OF_A_STACK):
        return None
    return load(arguments.paths or [DEFAULT_PATH])


def _partition(manifest: Manifest | None) -> str:
    """Return the partition of the accounts; they are of one, since the hub reaches no other."""
    accounts = manifest.accounts.values() if manifest else ()
    return next((account.partition for account in accounts if account.managed), "aws")


def _lists(manifest: Manifest | None) -> bool:
    """Return whether the organization is listed with what xgrant is started with, which in a job is the job's role."""
    organization = manifest.organization if manifest else None
    return organization is not None and not organization.access.role and not organization.access.profile


def _listing_role(manifest: Manifest | None) -> str:
    """Return the ARN of the role as which the organization is listed, where jobs assume it themselves; or nothing."""
    organization = manifest.organization if manifest else None
    if organization is None or organization.access.role is None or organization.access.hub is not None:
        return ""
    path, name = split_path(organization.access.role)
    return iam_arn(organization.partition, organization.account, "role", path, name)


def _caller_policies(manifest: Manifest) -> str:
    managed = {grant.managed_caller_policy for grant in manifest.grants if grant.makes_caller_policies}
    return "both" if len(managed) > 1 else "managed" if True in managed else "inline"


def _store(arguments: argparse.Namespace, manifest: Manifest | None) -> tuple[str, str]:
    """Return the bucket of the store, and what is before the keys in it."""
    if arguments.bucket or manifest is None or not manifest.store.startswith("s3://"):
        return arguments.bucket, arguments.prefix
    bucket, _, folder = manifest.store.removeprefix("s3://").partition("/")
    return bucket, f"{folder.strip('/')}/" if folder.strip("/") else ""


def _jobs(arguments: argparse.Namespace) -> Jobs | None:
    if arguments.github and arguments.gitlab:
        raise UsageError("--github and --gitlab: make a template of each, into directories of their own")
    subjects, planning = tuple(arguments.subject), tuple(arguments.plan_subject)
    pull_requests = not arguments.no_pull_requests
    if arguments.github:
        names = (arguments.github, arguments.environment, arguments.branch)
        return github(*names, subjects, planning, pull_requests=pull_requests)
    if arguments.gitlab:
        return gitlab(arguments.gitlab, arguments.branch, subjects, planning, pull_requests=pull_requests)
    for option, said in (("--subject", subjects), ("--plan-subject", planning)):
        if said:
            raise UsageError(f"{option}: say whose it is, by --github OWNER/NAME or --gitlab GROUP/NAME")
    return None


def _write(texts: dict[Path, str], *, overwrite: bool) -> None:
    """Write files that nobody ever sees half-written; with one that stands already, none, unless it may be replaced."""
    standing = [str(path) for path in texts if path.exists() or path.is_symlink()]
    if standing and not overwrite:
        raise UsageError(f"-o: {', '.join(standing)} would be overwritten; say --overwrite, or name another directory")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                Path(temporary).chmod(0o644)
                Path(temporary).replace(path)
            finally:
                Path(temporary).unlink(missing_ok=True)
        except OSError as error:
            why = error.strerror or error
            raise XgrantError(f"-o: {path} cannot be written: {why}; make room or name another directory") from error
