"""botocore's exceptions as AwsError, with what to do about each."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)
from botocore.parsers import ResponseParserError

from reconciler.errors import AwsError, StoreError, XgrantError, means_denied

E = TypeVar("E", bound=XgrantError)

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
ENDED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId")
"""What AWS says of a session that is over or was never one (facts sheet 3.2)."""

_NOT_AWS = "something between here and AWS has answered: check the proxy, and AWS_ENDPOINT_URL if it is set"
_LOGIN = "log in again, then run the same command"

_CODE_HINTS = {
    "InvalidClientTokenId": "the credentials are not valid; log in again or choose another profile",
    "UnrecognizedClient": "the region is not enabled in the account, or the credentials are not valid",
    "SignatureDoesNotMatch": "the secret key does not fit the access key; check the credentials",
    "LimitExceeded": "a quota of the account is reached; remove something or ask AWS to raise it",
    "MalformedPolicyDocument": "AWS refuses the policy; check that each principal that it names exists",
    "Throttling": "AWS throttles this account; run the same command again later",
    "UnmodifiableEntity": "only AWS itself can change this role",
    "EntityAlreadyExists": "somebody made it since the plan; plan again",
    "DeleteConflict": "something was hung on it since the plan; plan again",
    **dict.fromkeys(_EXPIRED, f"the credentials have expired; {_LOGIN}"),
}

_WRITES = (
    "; `xgrant doctor` shows all that it lacks, and if it is a role of `xgrant bootstrap`, make xgrant-member of the "
    "manifests anew and deploy it again"
)
"""Those templates name each caller, and one path of roles: a new grant may want more than they allow."""


@contextmanager
def aws_errors(account: str, operation: str, *, denied: str = "") -> Iterator[None]:
    """Turn what botocore raises inside the block into an AwsError of this account.

    `operation` names the API operation where the exception does not; `denied` is the hint for AccessDenied.
    """
    try:
        yield
    except ClientError as error:
        raise from_client_error(account, error, denied=denied) from error
    except ResponseParserError as error:
        raise AwsError(
            account, operation, "ResponseParserError", "the answer is none of AWS",
            hint=_NOT_AWS,
        ) from error  # fmt: skip
    except BotoCoreError as error:
        raise AwsError(account, operation, type(error).__name__, _one_line(error), hint=_hint(error)) from error


_STORE_HINTS = {
    "NoSuchBucket": "make the bucket, or mend `store` in the manifest",
    "NotImplemented": "locks need an S3 that honours If-None-Match and If-Match on PutObject, as AWS's does",
    "InvalidAccessKeyId": _CODE_HINTS["InvalidClientTokenId"],
    **dict.fromkeys(
        ("AccessDenied", "403"),
        "allow s3:GetObject and s3:PutObject on what lies below it, and s3:ListBucket on the bucket, to the "
        "credentials that xgrant is started with",
    ),
}


@contextmanager
def store_errors(place: str, operation: str) -> Iterator[None]:
    """Turn what botocore raises inside the block into a StoreError of the store at `place`."""
    try:
        yield
    except ClientError as error:
        found = error.response["Error"]
        code = found.get("Code", "Unknown")
        request = error.response.get("ResponseMetadata", {}).get("RequestId", "")
        hint = _STORE_HINTS.get(code) or _CODE_HINTS.get(code) or "see what S3 says, and run the same command again"
        text = f"{code}: {' '.join(found.get('Message', '').split())}" + (f" (request {request})" if request else "")
        raise StoreError(f"the store {place}: {error.operation_name}: {text}; {hint}") from error
    except ResponseParserError as error:
        raise StoreError(f"the store {place}: {operation}: the answer is none of S3; {_NOT_AWS}") from error
    except BotoCoreError as error:
        hint = _hint(error) or "check the credentials that xgrant is started with"
        raise StoreError(
            f"the store {place}: {operation}: {type(error).__name__}: {_one_line(error)}; {hint}"
        ) from error


@contextmanager
def endpoint_errors(account: str) -> Iterator[None]:
    """Turn the ValueError that botocore raises for an endpoint that is no URL into an AwsError of this account."""
    try:
        yield
    except BotoCoreError:
        raise  # Some are ValueErrors too.
    except ValueError as error:
        hint = (
            "mend AWS_ENDPOINT_URL, or endpoint_url in the AWS configuration file; a URL is like http://localhost:4566"
        )
        raise AwsError(account, "client", "InvalidEndpoint", _one_line(error), hint=hint) from error


def from_client_error(account: str, error: ClientError, *, denied: str = "") -> AwsError:
    """Return the AwsError that says what a service's error says."""
    code = error.response["Error"].get("Code", "Unknown")
    hint = _CODE_HINTS.get(code.removesuffix("Exception"), "")
    if means_denied(code):
        hint = denied or f"allow iam:{error.operation_name} to the identity that xgrant uses in this account"
        if not denied and not error.operation_name.startswith(("Get", "List")):
            hint += _WRITES
        if not denied and "explicit deny in an identity-based policy" in error.response["Error"].get("Message", ""):
            # By a policy of its own, or since somebody has revoked its sessions: then it shall not go on by itself.
            hint = (
                f"a policy of the identity that xgrant uses denies iam:{error.operation_name}; where that is "
                "AWSRevokeOlderSessions, somebody has ended its sessions: ask why, then run the same command again"
            )
    return AwsError(
        account,
        error.operation_name,
        code,
        " ".join(error.response["Error"].get("Message", "").split()),
        request_id=error.response.get("ResponseMetadata", {}).get("RequestId", ""),
        hint=hint,
    )


def ended_early(error: AwsError, role: str) -> AwsError | None:
    """Return what to say where a session of a role, by its name or ARN, is of no use though its time is not over.

    None where the error is another one.
    """
    if error.code not in ENDED:
        return None
    hint = f"the session of {role} ended before its time, as when the role is made anew; run the same command again"
    return AwsError(error.account, error.operation, error.code, error.message, request_id=error.request_id, hint=hint)


def bare(error: E) -> E:
    """Return an error without the frames that it went through, which would keep what they hold: clients, answers."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def _hint(error: BotoCoreError) -> str:
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return "no credentials were found; log in, set AWS_PROFILE, or give the account a `profile`"
        case ProfileNotFound():
            return "name a profile that the AWS configuration files have"
        case NoRegionError():
            return "set AWS_DEFAULT_REGION"
        case InvalidRegionError():
            return "mend AWS_DEFAULT_REGION, or region in the AWS configuration file"
        case ConfigParseError():
            return "mend that file; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name others"
        case SSLError():
            return (
                "check AWS_CA_BUNDLE, or ca_bundle in the AWS configuration file: it has to name a file of certificates"
            )
        case EndpointConnectionError() | HTTPClientError():
            return "check the network, and AWS_ENDPOINT_URL if it is set"
    if type(error).__name__.startswith("Invalid"):
        return "mend it in the environment, or in the AWS configuration file"
    # The classes of the sign-in errors are many, and not all of them are in older releases of botocore.
    if any(word in type(error).__name__ for word in ("SSO", "Token", "Login", "Credential")):
        return _LOGIN
    return ""


def _one_line(error: Exception) -> str:
    if isinstance(error, ConfigParseError):
        return f"{error.kwargs['path']}{_where(error.kwargs.get('error'))}"
    return " ".join(str(error).split())


def _where(error: object) -> str:
    """Return where an AWS configuration file is wrong and how, and nothing of what stands there: it may be a key."""
    match error:
        case configparser.DuplicateSectionError():
            return f":{error.lineno}: the section [{error.section}] stands there a second time"
        case configparser.DuplicateOptionError():
            return f":{error.lineno}: {error.option} stands a second time in [{error.section}]"
        case configparser.MissingSectionHeaderError():
            return f":{error.lineno}: no section stands before it"
        case configparser.ParsingError():
            return f":{error.errors[0][0]}: it is neither a section nor a setting"
    return ": it cannot be read as text in UTF-8"
