"""What workflows, the action and the template have to say, for them to hold what docs/pipelines.md promises.

Running them shows most of it; these are the lines that no run misses until somebody attacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from tests.pipelines.expressions import holds
from tests.pipelines.gitlab_ci import jobs_of, workflow_begins
from tests.pipelines.triggers import begins

FLOWS = ".github/workflows/xgrant-{}.yml"
ACTION = ".github/actions/xgrant/action.yml"
_MAIN = "refs/heads/main"
_REQUEST = "${{ github.event.pull_request.number }}-${{ github.event.pull_request.head.sha }}"

Demands = Iterator[tuple[str, bool]]


def broken(files: Mapping[str, str]) -> list[str]:
    """Return which demands the files of a starter do not meet."""
    found = _gitlab(files[".gitlab-ci.yml"]) if ".gitlab-ci.yml" in files else _github(files)
    return [name for name, met in found if not met]


def _github(files: Mapping[str, str]) -> Demands:
    flows = {name: yaml.safe_load(files[FLOWS.format(name)]) for name in ("pull-request", "merge", "drift")}
    yield from _pull_request(flows["pull-request"])
    yield from _merge(flows["merge"])
    yield from _drift(flows["drift"])
    yield from _action({step["name"]: step for step in yaml.safe_load(files[ACTION])["runs"]["steps"] if "run" in step})


def _pull_request(flow: Mapping[Any, Any]) -> Demands:
    for action in ("opened", "synchronize", "reopened"):
        payload = {"action": action, "pull_request": {"base": {"ref": "main"}}}
        yield f"a pull request is planned when {action}", begins(flow, "pull_request", payload, "refs/pull/1/merge")
    jobs = flow["jobs"]
    for name, repository, base, wanted in (
        ("is planned", "acme/iam", "main", True), ("of a fork is not", "mallory/iam", "main", False),
        ("to another branch is not", "acme/iam", "other", False),
    ):  # fmt: skip
        pull = {"head": {"repo": {"full_name": repository}}, "base": {"ref": base}}
        event = {"pull_request": pull, "repository": {"default_branch": "main"}}
        yield f"a pull request {name}", _if(jobs["plan"], event=event) is wanted
    yield "a plan waits for nothing", "needs" not in jobs["plan"]
    planned = jobs["planned"]
    yield "the required job is about both", (planned["name"], planned["needs"]) == ("Planned", ["validate", "plan"])
    yield "the required job is never skipped", planned.get("if") == "always()"
    yield "a review is named by the request and its commit", _action_of(jobs["plan"])["name"] == _REQUEST
    kept = _uploads(jobs["plan"])[0]
    yield "each attempt leaves its plan", kept["name"] == f"xgrant-plan-{_REQUEST}-${{{{ github.run_attempt }}}}"
    yield "no plan takes another's place", "overwrite" not in kept
    yield "no plan is an error", kept.get("if-no-files-found") == "error"
    yield "findings wait for nobody", _step(jobs["code-scanning"], "download-artifact").get("continue-on-error") is True


def _merge(flow: Mapping[Any, Any]) -> Demands:
    yield "a merge is applied", begins(flow, "push", {}, _MAIN)
    yield "somebody can run it by hand", begins(flow, "workflow_dispatch", {}, _MAIN)
    queue = flow["concurrency"]
    yield "merges wait for each other", queue["group"] == "xgrant-merge-${{ github.ref }}"
    yield "no merge is dropped", (queue.get("queue"), queue["cancel-in-progress"]) == ("max", False)
    check, apply = flow["jobs"]["check"], flow["jobs"]["apply"]
    yield from _only_on_the_branch(check)
    yield "newer runs are known by the name of the job", check["name"] == "Compare with what was reviewed"
    command = _action_of(check)["command"]
    yield "by hand it is planned anew", command == "${{ github.event_name == 'push' && 'check' || 'replan' }}"
    yield (
        "each plan by hand has a name",
        _action_of(check)["name"] == "run-${{ github.run_id }}-${{ github.run_attempt }}",
    )
    yield "the environment is asked", (apply.get("environment"), apply.get("needs")) == ("production", "check")
    yield "nobody is asked for nothing", apply["if"] == "needs.check.outputs.changes == 'true'"
    yield "what was reviewed goes on by its name", _action_of(apply).get("name") == "${{ needs.check.outputs.review }}"
    yield "the session outlives the job", apply["timeout-minutes"] < 60
    kept = _uploads(check)[0]
    yield "no reviewed plan is an error", kept.get("if-no-files-found") == "error"
    yield "it can be run again", kept.get("overwrite") is True
    yield "what was applied is kept", _step(apply, "upload-artifact").get("if") == "always()"


def _drift(flow: Mapping[Any, Any]) -> Demands:
    (schedule,) = flow[True]["schedule"]
    minute, hour, *days = schedule["cron"].split()
    yield "drift is looked for each day", minute.isdigit() and hour.isdigit() and days == ["*", "*", "*"]
    queue = flow["concurrency"]
    yield "drift waits for merges", queue["group"] == "xgrant-merge-${{ github.ref }}" and queue.get("queue") == "max"
    yield from _only_on_the_branch(flow["jobs"]["drift"])


def _only_on_the_branch(job: Mapping[str, Any]) -> Demands:
    event = {"repository": {"default_branch": "main"}}
    for ref, wanted in ((_MAIN, True), ("refs/heads/other", False), ("refs/tags/main", False)):
        kind, name = ref.removeprefix("refs/").split("/", 1)
        told = {"ref": ref, "ref_name": name, "ref_type": "tag" if kind == "tags" else "branch"}
        yield f"{job['name']} runs on {ref}: {wanted}", _if(job, event=event, **told) is wanted


def _action(steps: Mapping[str, Any]) -> Demands:
    def says(step: str, *parts: str) -> bool:
        return all(part in steps[step]["run"] for part in parts)

    yield (
        "an unknown command is an error",
        says("Check the inputs", "exit 64") and "if" not in steps["Check the inputs"],
    )
    for name in ("See that no newer run has overtaken this one", "See that the environment has reviewers"):
        yield name, steps[name]["if"] == "inputs.command == 'check' || inputs.command == 'replan'"
    yield "overtaken", says("See that no newer run has overtaken this one", "xgrant pipeline current")
    protected = steps["See that the environment has reviewers"]
    yield (
        "a run by hand demands reviewers",
        (
            protected["env"]["IF_NOT"] == "${{ inputs.command == 'replan' && 'refuse' || 'warn' }}"
            and protected["run"] == 'xgrant pipeline protected "$ENVIRONMENT" --if-not "$IF_NOT"'
        ),
    )
    plan, compare, apply = "Plan", "Compare it with a plan made now", "Apply what was reviewed"
    yield "a plan ends", says(plan, '--expires "$EXPIRES"')
    for step in (plan, compare, apply):
        yield f"{step}: the review is in the store", says(step, '--review "$REVIEW" --if-store')
    for step in (plan, apply):
        yield f"{step}: the review has a name", steps[step]["env"]["REVIEW"] == "${{ inputs.name }}"
    yield "compared by its name", steps[compare]["env"]["REVIEW"] == "${{ steps.reviewed.outputs.review }}"
    yield "compared with what was reviewed", says(compare, '--same-as "$RUNNER_TEMP/xgrant/plan.json"')
    for step in (plan, compare):
        yield f"{step}: a part is something to apply", says(step, "0) changes=false ;; 2 | 6) changes=true ;; *) exit")
    yield "apply waits for locks", says(apply, "--lock-timeout 5m")
    yield "apply asks once more", says(apply, "--if-current")
    yield "the record is this run's", says(apply, "--record") and says("Get the history", "xgrant/record")
    yield "a part is drift", says("Look for drift", "0) state=closed ;; 2 | 6) state=open ;;", '[ "$code" -ne 6 ]')


def _if(job: Mapping[str, Any], **github: Any) -> bool:
    contexts = {"github": {"repository": "acme/iam", **github}}
    return holds(job.get("if"), contexts, {"success": True, "failure": False, "always": True, "cancelled": False})


def _action_of(job: Mapping[str, Any]) -> Mapping[str, str]:
    return _step(job, "./.github/actions/xgrant")["with"]  # type: ignore[no-any-return]


def _step(job: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(step for step in job["steps"] if name in step.get("uses", ""))


def _uploads(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [step["with"] for step in job["steps"] if "upload-artifact" in step.get("uses", "")]


def _gitlab(text: str) -> Demands:
    jobs = jobs_of(text)

    def says(name: str, *parts: str) -> bool:
        return all(part in "\n".join(jobs[name]["script"]) for part in parts)

    main = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
    yield "merge requests", workflow_begins(text, {"CI_PIPELINE_SOURCE": "merge_request_event"})
    yield "the branch", workflow_begins(text, {"CI_PIPELINE_SOURCE": "push", **main})
    yield "no other branch", not workflow_begins(text, {"CI_PIPELINE_SOURCE": "push", **main, "CI_COMMIT_BRANCH": "x"})
    apply = jobs["xgrant-apply"]
    by_source: dict[str, Callable[[], bool]] = {
        "push": lambda: "when" not in apply["rules"][0], "web": lambda: apply["rules"][1].get("when") == "manual",
    }  # fmt: skip
    for rule, (source, fine) in zip(apply["rules"], by_source.items(), strict=True):
        only = f'$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE == "{source}"'
        yield f"apply on {source}", rule["if"] == only and fine()
    yield "the environment is asked", apply.get("environment") == "production"
    yield "one after the other", [job.get("resource_group") for job in (apply, jobs["xgrant-drift"])] == ["xgrant"] * 2
    roles = {name for name, job in jobs.items() if job.get("variables", {}).get("AWS_ROLE_ARN") == "$XGRANT_APPLY_ROLE"}
    yield "one job writes", roles == {"xgrant-apply"}
    yield "apply", says("xgrant-apply", "--lock-timeout 5m", "--if-current", "--record record")
    yield "apply leaves its record", "record" in apply["artifacts"]["paths"]
    yield "an apply that fails does, too", apply["artifacts"].get("when") == "always"
    yield "apply demands the review", says("xgrant-apply", '--review "$XGRANT_REVIEW_NAME" --if-store')
    yield "plan keeps the review", says("xgrant-plan", '--expires 7d --review "$review" --if-store')
    named = '"$CI_MERGE_REQUEST_IID-${CI_MERGE_REQUEST_SOURCE_BRANCH_SHA:-$CI_COMMIT_SHA}"'
    yield "a review is named by the request and its commit", says("xgrant-plan", f"review={named}")
    yield "by hand keeps the review", says("xgrant-reviewed", '--expires 7d --review "$review" --if-store')
    yield "overtaken", says("xgrant-reviewed", "xgrant pipeline current")
    yield "protected", says("xgrant-reviewed", "xgrant pipeline protected production --if-not warn")
    for name in ("xgrant-plan", "xgrant-reviewed"):
        yield (
            f"{name}: a part is a plan",
            says(name, 'if [ "$code" -ne 0 ] && [ "$code" -ne 6 ]; then exit "$code"; fi'),
        )
    yield "a part is drift", says("xgrant-drift", "0) state=closed ;; 2 | 6) state=open ;;", '[ "$code" -ne 6 ]')
