"""What an apply does, and what it tells while it does it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.plan import Change, Step, Wave


class Status(StrEnum):
    """What became of a change."""

    DONE = "done"
    PARTLY = "done in part"
    """A caller policy was written without the roles that could not be made; the change says what was written."""
    UNVERIFIED = "unverified"
    """It was written, and not read back: whether AWS has it so is not known."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What apply did with a change. `error` says why it failed, or what it waited for in vain."""

    change: Change
    status: Status
    error: str = ""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call that AWS answered: the operation, AWS's id of the request, and the error code if it refused."""

    operation: str
    request_id: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a step. `error` says why it failed, or what is missing; `calls` are those to AWS that it took."""

    status: Status
    error: str = ""
    calls: tuple[ApiCall, ...] = ()


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step is about to be executed; the `number`th of `total`."""

    step: Step
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is done, has failed, or was skipped; `error` says why. `calls` are those to AWS that it took."""

    step: Step
    number: int
    total: int
    status: Status
    error: str = ""
    calls: tuple[ApiCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs xgrant and where: known to locks and history. What is not known is empty.

    `user` is the operating system's, `identity` the ARN of the AWS credentials that xgrant was started with, `commit`
    the git commit of the manifests, `command` the command line with what is secret masked.
    """

    user: str
    host: str
    process: int
    command: str
    commit: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class WaveStarted:
    """A wave of a rollout begins, the `number`th of `total`."""

    wave: Wave
    number: int
    total: int


Event = StepStarted | StepEnded | WaveStarted
