"""Who uses a grant, and what session of its role they ask for and get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SESSION_VARIABLES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
)  # fmt: skip
"""The environment variables that hold the credentials of a session, an old name of the token's included."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as GetCallerIdentity says it: the account's id and the ARN.

    `temporary` says that the access key is one of a session, `from_variables` that it comes from the environment.
    `credential_source` is what a profile calls the place outside of the AWS configuration files that gives the keys
    (an instance, a container); empty where none does.

    `mfa_serial` is what the profile has of that, empty where it has none. `settings` are those of its settings that
    another profile with its credentials has to have too, and `variables` the same for a program without that profile.
    """

    account: str
    arn: str
    temporary: bool = False
    mfa_serial: str = ""
    from_variables: bool = False
    credential_source: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def role(self) -> str:
        """Return the name of the role whose session this is, without its path, which AWS leaves out; empty if none."""
        parts = self._resource().split("/")
        return parts[1] if parts[0] == "assumed-role" and len(parts) == 3 else ""

    def user(self) -> str:
        """Return the name of the IAM user, without its path; empty if it is none."""
        kind, _, name = self._resource().partition("/")
        return name.rsplit("/", 1)[-1] if kind == "user" else ""

    def root(self) -> bool:
        """Return whether it is the root of the account."""
        return self._resource() == "root"

    def name(self) -> str:
        """Return who that is in one word: the user, or what the session of a role is called."""
        return self._resource().rsplit("/", 1)[-1]

    def _resource(self) -> str:
        return self.arn.split(":", 5)[-1]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for on the command line; what is left out comes from the manifest and from who asks.

    `grant` is `GRANT` or `GRANT@account`, `duration` in seconds.
    """

    grant: str
    profile: str | None = None
    duration: int | None = None
    session_name: str | None = None
    mfa_serial: str | None = None
    mfa_code: str | None = field(default=None, repr=False)
    external_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """One AssumeRole: what is sent. `duration` is in seconds; empty is not sent.

    `at` is when, in seconds since 1970; None where that is not known.
    """

    role_arn: str
    session_name: str
    duration: int
    external_id: str = field(default="", repr=False)
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    mfa_serial: str = ""
    mfa_code: str = field(default="", repr=False)
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What AssumeRole gave: the credentials of a session, until when they are good (UTC, ISO 8601), and its ARN."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires: str
    arn: str
