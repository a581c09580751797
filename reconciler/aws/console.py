"""A link that signs in to the AWS console with the credentials of a session.

IAM User Guide, "Enable custom identity broker access to the AWS console": the federation endpoint gives a token for
the credentials, and the link holds that token, which is good for fifteen minutes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from reconciler.aws.errors import aws_errors, endpoint_errors
from reconciler.errors import AwsError, UsageError
from reconciler.model import Session

_DOMAINS = {"aws": "aws.amazon.com", "aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}
_OPERATION = "getSigninToken"
_SECONDS = 30


def sign_in_link(session: Session, settings: Mapping[str, str], *, account: str, partition: str) -> str:
    """Return the link; the console's session ends with the credentials, since no other end is asked for.

    The endpoint is that of the partition, or AWS_ENDPOINT_URL_SIGNIN, or AWS_ENDPOINT_URL, or `endpoint_url` of the
    settings, which are those of the caller's profile.

    Raises:
        UsageError: of this partition no endpoint is known.
        AwsError: the endpoint gives no token, or cannot be reached.

    """
    domain = _DOMAINS.get(partition)
    if domain is None:
        raise UsageError(f"console: where the partition {partition} is signed in to is not known; use its own console")
    stated = os.environ.get("AWS_ENDPOINT_URL_SIGNIN") or os.environ.get("AWS_ENDPOINT_URL")
    stated = stated or settings.get("endpoint_url")
    endpoint = f"{(stated or f'https://signin.{domain}').rstrip('/')}/federation"
    token = _token(session, settings, endpoint, account)
    destination = f"https://console.{domain}/"
    login = {"Action": "login", "Issuer": "xgrant", "Destination": destination, "SigninToken": token}
    return f"{endpoint}?{urlencode(login)}"


def _token(session: Session, settings: Mapping[str, str], endpoint: str, account: str) -> str:
    secret = {"sessionId": session.access_key, "sessionKey": session.secret_key, "sessionToken": session.token}
    # In the body: an address would stand in the logs of whatever is between, and tokens may be longer than one.
    body = urlencode({"Action": _OPERATION, "Session": json.dumps(secret)})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with aws_errors(account, _OPERATION), endpoint_errors(account):
        request = AWSRequest(method="POST", url=endpoint, data=body, headers=headers).prepare()
        # The stubs know no path to a bundle of certificates.
        bundle: Any = os.environ.get("AWS_CA_BUNDLE") or settings.get("ca_bundle") or True
        http = URLLib3Session(timeout=_SECONDS, verify=bundle, proxies=get_environ_proxies(endpoint))
        answer = http.send(request)
    try:
        token = json.loads(answer.text)["SigninToken"]
    except (ValueError, KeyError, TypeError):
        token = None
    if answer.status_code != 200 or not isinstance(token, str):
        raise AwsError(
            account, _OPERATION, str(answer.status_code), "the sign-in page gave no token",
            hint="check the network, and AWS_ENDPOINT_URL_SIGNIN and AWS_ENDPOINT_URL if they are set",
        )  # fmt: skip
    return token
