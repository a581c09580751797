"""What the AWS configuration has for who uses a grant: the credentials, and what of it a session of the role needs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError

from reconciler.aws.clients import light_session
from reconciler.aws.errors import aws_errors
from reconciler.aws.keys import Keys
from reconciler.errors import AwsError
from reconciler.model import SESSION_VARIABLES

AskCode = Callable[[str], str]
"""Asks for the code of an MFA device, by its serial."""

ABOUT = "of the caller"
"""What messages call the account of who asks, which the manifest need not have."""

FORGET = f"the credentials are in variables: unset {' '.join(SESSION_VARIABLES)}, or name a profile with --as"
"""What to do about credentials in environment variables, which come before AWS_PROFILE."""

_NO_KEYS = "log in, set AWS_PROFILE, or name a profile with --as"
_REGION = re.compile(r"[a-z0-9-]+")
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_PROMPT = "Enter MFA code for "
"""How botocore begins its question for a code; what follows is the device."""

# AWS SDKs and tools guide, "Settings reference".
_VARIABLES = {
    "endpoint_url": "AWS_ENDPOINT_URL",
    "ca_bundle": "AWS_CA_BUNDLE",
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT",
    "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "ignore_configured_endpoint_urls": "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
}
"""By the setting of a profile that says where requests go the variable that says the same."""

_SETTINGS = ("region", *_VARIABLES, "services")

_OUTSIDE = {"iam-role": "Ec2InstanceMetadata", "container-role": "EcsContainer"}
"""By botocore's name of where credentials are from what a profile calls that place as its `credential_source`."""


@dataclass(frozen=True, slots=True)
class Starting:
    """What the AWS configuration has for who asks; see `Identity`. The region, and its partition, may be empty."""

    keys: Keys
    mfa_serial: str
    from_variables: bool
    credential_source: str
    settings: Mapping[str, str]
    variables: Mapping[str, str]
    region: str
    partition: str


def start(profile: str | None, ask_code: AskCode) -> Starting:
    """Return what there is for a profile, or for the caller's own credentials as AWS's tools find them.

    Raises:
        AwsError: there are no credentials, or the configuration is of no use.
        UsageError: a code has to be asked for and cannot be.

    """
    with aws_errors(ABOUT, "credentials", denied=_denied(profile)), _usable(profile):
        session = light_session(profile)
        assuming: Any = session.get_component("credential_provider").get_provider("assume-role")
        # botocore would read the code from stdin where there is no terminal, and takes no other way to ask but this.
        assuming._prompter = lambda text: ask_code(text.removeprefix(_PROMPT).removesuffix(": "))
        found: Any = session.get_credentials()
        if found is None:
            where = f"the profile {profile} holds no credentials" if profile else "no credentials were found"
            raise AwsError(ABOUT, "credentials", "NoCredentials", where, hint=_NO_KEYS)
        try:
            frozen = found.get_frozen_credentials()
        except RuntimeError as error:  # botocore's word for credentials that renew themselves, and have expired.
            hint = FORGET if found.method == "env" else _NO_KEYS
            raise AwsError(ABOUT, "credentials", "Expired", str(error), hint=hint) from error
        scoped = session.get_scoped_config()
    settings = {name: scoped[name] for name in _SETTINGS if isinstance(scoped.get(name), str)}
    region = settings.get("region", "")
    if region and _REGION.fullmatch(region) is None:
        raise AwsError(ABOUT, "profile", "InvalidRegion", f"{region} is no region",
                       hint="mend region in the AWS configuration file")  # fmt: skip
    where = region or str(session.get_config_variable("region") or "")
    return Starting(
        Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token or ""),
        str(scoped.get("mfa_serial", "")),
        found.method == "env",
        _OUTSIDE.get(found.method, ""),
        settings,
        _region_variables(profile, region) | _variables(session, settings),
        where,
        _partition(session, where),
    )


def has_profile(name: str) -> bool:
    """Return whether the AWS configuration files have a profile; AwsError where they cannot be read."""
    with aws_errors(ABOUT, "profile"):
        return name in light_session(name).available_profiles


def _denied(profile: str | None) -> str:
    who = f"the profile {profile}" if profile else "the profile"
    return f"{who} assumes a role of its own: that has to trust its source, which needs sts:AssumeRole on it"


@contextmanager
def _usable(profile: str | None) -> Iterator[None]:
    """Turn what Python raises where a profile says what cannot be into an AwsError."""
    try:
        yield
    except BotoCoreError:
        raise  # Some are ValueErrors too.
    # A process that cannot be run, or prints what are no credentials; an endpoint that is no URL.
    except (OSError, ValueError, AttributeError, TypeError) as error:
        why = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        who = f"the profile {profile}" if profile else "the credentials that AWS's tools would find"
        raise AwsError(
            ABOUT, "credentials", "InvalidProfile", f"{who}: {' '.join(why.split())}",
            hint="mend its credential_process or endpoint_url in the AWS configuration file, or name another with --as",
        ) from error  # fmt: skip


def _region_variables(profile: str | None, region: str) -> dict[str, str]:
    """Return what sets the region: that of a profile that is named outright wins over what is set already."""
    if region and (profile or not set(_REGION_VARIABLES) & os.environ.keys()):
        return dict.fromkeys(_REGION_VARIABLES, region)
    return {}


def _variables(session: botocore.session.Session, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what a program without the profile needs to send its requests to the same place."""
    if session.profile in (None, "default"):
        return {}  # It has that profile still.
    found = {variable: settings[name] for name, variable in _VARIABLES.items() if name in settings}
    services = session.full_config.get("services", {}).get(settings.get("services", ""), {})
    for service, stated in services.items():
        if isinstance(stated, dict) and "endpoint_url" in stated:
            found[f"{_VARIABLES['endpoint_url']}_{service.upper()}"] = stated["endpoint_url"]
    return {name: value for name, value in found.items() if name not in os.environ}


def _partition(session: botocore.session.Session, region: str) -> str:
    """Return the partition of the region, empty where there is none or botocore does not know it."""
    try:
        return session.get_partition_for_region(region) if region else ""
    except BotoCoreError:
        return ""
