"""The arguments of `xgrant bootstrap`. Imports nothing heavy, as the command line itself."""

from __future__ import annotations

import argparse

_REPEATED = (
    ("--caller", "KIND/NAME", "a principal that gets caller policies, like group/developers or role/ci/*, or its ARN"),
    ("--boundary-action", "ACTION", "what granted roles can do at most, like s3:*; default: all but identity services"),
    ("--operator", "ARN", "a user or role that may plan and apply by hand; * is a wildcard"),
    ("--subject", "SUBJECT", "of the tokens of jobs that apply, in the place of the environment's or the branch's"),
    ("--plan-subject", "SUBJECT", "of the tokens of jobs that plan, in the place of pull requests' and the branch's"),
    ("--unit", "ID", "a unit of the organization, or its root, whose accounts are managed; for stackset"),
)


def add_bootstrap(command: argparse.ArgumentParser) -> None:
    """Add them to the command."""
    command.add_argument(
        "what", metavar="WHAT", choices=("member", "hub", "oidc", "store", "stackset", "all"),
        help="member: of each managed account; hub, oidc, store: of the account from which xgrant works; "
        "stackset: member in all accounts of an organization; all",
    )  # fmt: skip
    command.add_argument(
        "paths", nargs="*", metavar="PATH", default=[],
        help="manifests, which say the stack, the callers and the store; default: manifests, where there is no --stack",
    )  # fmt: skip
    command.add_argument("--format", choices=("cloudformation", "terraform"), default="cloudformation",
                         help="default: cloudformation")  # fmt: skip
    command.add_argument("--stack", default="", metavar="NAME", help="the stack of the manifests")
    command.add_argument("--hub-account", default="", metavar="ID", help="the account of the hubs, 12 digits")
    command.add_argument("--organization", default="", metavar="ID", help="the organization that the hub has to be of")
    command.add_argument("--external-id", default="", metavar="TEXT", help="what the hub has to say to each account")
    command.add_argument("--path", default="/xgrant/", help="below which roles are made; default: /xgrant/")
    command.add_argument("--caller-policies", choices=("inline", "managed", "both"),
                         help="which ones the manifests ask for; default: inline")  # fmt: skip
    command.add_argument("--github", default="", metavar="OWNER/NAME",
                         help="the repository whose jobs run xgrant, also like OWNER@ID/NAME@ID")  # fmt: skip
    command.add_argument("--gitlab", default="", metavar="GROUP/NAME", help="or the project of GitLab")
    command.add_argument("--environment", default="production", metavar="NAME",
                         help="the protected environment whose jobs apply; default: production")  # fmt: skip
    command.add_argument("--branch", default="main", metavar="NAME",
                         help="the protected branch whose jobs may plan, and apply; default: main")  # fmt: skip
    command.add_argument("--no-pull-requests", action="store_true",
                         help="let jobs of the branch alone plan, none of pull requests or other branches")  # fmt: skip
    command.add_argument("--no-audit", action="store_true",
                         help="let the reading role not read who did what; xgrant audit then needs files")  # fmt: skip
    command.add_argument("--operator-mfa", action="store_true", help="let operators in with an MFA device only")
    command.add_argument("--list-organization", action="store_true",
                         help="let jobs list the accounts of the organization; said by manifests with one")  # fmt: skip
    command.add_argument("--delegated-admin", action="store_true",
                         help="stackset is for a delegated administrator, not for the management account")  # fmt: skip
    command.add_argument("--provider-exists", action="store_true",
                         help="the account has the provider of tokens already; it can have it once")  # fmt: skip
    command.add_argument("--bucket", default="", metavar="NAME", help="the bucket of the store")
    command.add_argument("--prefix", default="xgrant/", metavar="NAME/", help="before its keys; default: xgrant/")
    command.add_argument("--history-days", type=int, default=2557, metavar="N",
                         help="how long the store keeps the history; default: 2557, seven years")  # fmt: skip
    for option, name, text in _REPEATED:
        command.add_argument(option, action="append", default=[], metavar=name, help=f"{text}; may be repeated")
    command.add_argument("-o", "--output", metavar="DIR", help="write files there; default: standard output")
    command.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    command.add_argument("--explain", action="store_true",
                         help="say in words what the roles can do, and what a stolen one could")  # fmt: skip
