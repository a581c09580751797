"""No line of the workflows, the action and the template that guards something is there for nothing."""

from __future__ import annotations

import pytest

from tests.pipelines.demands import ACTION, FLOWS, broken
from tests.pipelines.world import starter

PULL, MERGE, DRIFT, TEMPLATE = (
    FLOWS.format("pull-request"),
    FLOWS.format("merge"),
    FLOWS.format("drift"),
    ".gitlab-ci.yml",
)
OVERWRITE = "          if-no-files-found: error\n"

MUTATIONS = [
    (PULL, "  pull_request:\n", "  pull_request:\n    types: [opened]\n"),
    (PULL, "github.event.pull_request.head.repo.full_name == github.repository &&\n", ""),
    (PULL, " &&\n      github.event.pull_request.base.ref == github.event.repository.default_branch\n", "\n"),
    (PULL, "    if: always()\n", ""),
    (PULL, "    needs: [validate, plan]\n", "    needs: [validate]\n"),
    (PULL, "-${{ github.run_attempt }}\n", "\n"),
    (PULL, OVERWRITE, f"{OVERWRITE}          overwrite: true\n"),
    (PULL, OVERWRITE, ""),
    (PULL, "name: ${{ github.event.pull_request.number }}-", "name: "),
    (PULL, "        continue-on-error: true\n", ""),
    (MERGE, "  workflow_dispatch:\n", ""),
    (MERGE, "  queue: max\n", ""),
    (MERGE, "  cancel-in-progress: false\n", "  cancel-in-progress: true\n"),
    (MERGE, "    if: github.ref_type == 'branch' && github.ref_name == github.event.repository.default_branch\n", ""),
    (MERGE, "github.ref_type == 'branch' && ", ""),
    (MERGE, "&& 'check' || 'replan'", "&& 'check' || 'plan'"),
    (MERGE, "    environment: production\n", ""),
    (MERGE, "    needs: check\n", ""),
    (MERGE, "          name: ${{ needs.check.outputs.review }}\n", ""),
    (MERGE, "Compare with what was reviewed", "Compare"),
    (MERGE, "    timeout-minutes: 55\n", "    timeout-minutes: 120\n"),
    (MERGE, f"{OVERWRITE}          overwrite: true\n", OVERWRITE),
    (MERGE, OVERWRITE, ""),
    (MERGE, "        if: always()\n", ""),
    (DRIFT, '"17 5 * * *"', '"17 5 29 2 *"'),
    (DRIFT, "  queue: max\n", ""),
    (DRIFT, "    if: github.ref_type == 'branch' && github.ref_name == github.event.repository.default_branch\n", ""),
    (ACTION, "        exit 64\n", ""),
    (ACTION, "      run: xgrant pipeline current\n", "      run: 'true'\n"),
    (ACTION, "'refuse' || 'warn'", "'warn' || 'warn'"),
    (ACTION, ' --expires "$EXPIRES"', ""),
    (ACTION, "xgrant/plan.json\" --expires \"$EXPIRES\" --detailed-exitcode \\\n          --review \"$REVIEW\" --if-store", "xgrant/plan.json\""),
    (ACTION, "--detailed-exitcode \\\n          --review \"$REVIEW\" --if-store || code=$?\n        case", "--detailed-exitcode || code=$?\n        case"),
    (ACTION, "--lock-timeout 5m --review \"$REVIEW\" --if-store", "--lock-timeout 5m"),
    (ACTION, " --lock-timeout 5m", ""),
    (ACTION, "--if-current ", ""),
    (ACTION, "--record \"$RUNNER_TEMP/xgrant/record\"", ""),
    (ACTION, "REVIEW: ${{ inputs.name }}", "REVIEW: ''"),
    (ACTION, "0) changes=false ;; 2 | 6)", "0 | 6) changes=false ;; 2)"),
    (ACTION, "0) state=closed ;; 2 | 6)", "0 | 6) state=closed ;; 2)"),
    (ACTION, "        [ \"$code\" -ne 6 ]\n", ""),
    (ACTION, "inputs.command == 'check' || inputs.command == 'replan'", "inputs.command == 'check'"),
    (TEMPLATE, "      when: manual\n", ""),
    (TEMPLATE, "  environment: production\n", ""),
    (TEMPLATE, "    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n", "    - if: $CI_COMMIT_BRANCH == $CI_COMMIT_BRANCH\n"),
    (TEMPLATE, "  resource_group: xgrant\n", ""),
    (TEMPLATE, "    AWS_ROLE_ARN: $XGRANT_PLAN_ROLE\n", "    AWS_ROLE_ARN: $XGRANT_APPLY_ROLE\n"),
    (TEMPLATE, "--review \"$XGRANT_REVIEW_NAME\" --if-store ", ""),
    (TEMPLATE, "--if-current ", ""),
    (TEMPLATE, "--record record ", ""),
    (TEMPLATE, "    paths: [record, history.json]\n", "    paths: [history.json]\n"),
    (TEMPLATE, "    when: always\n    # Newer", "    # Newer"),
    (TEMPLATE, "--expires 7d ", ""),
    (TEMPLATE, "--review \"$review\" --if-store", ""),
    (TEMPLATE, "$CI_MERGE_REQUEST_IID-", ""),
    (TEMPLATE, "    - xgrant pipeline current\n", ""),
    (TEMPLATE, "    - xgrant pipeline protected production --if-not warn\n", ""),
    (TEMPLATE, " && [ \"$code\" -ne 6 ]", ""),
    (TEMPLATE, "      [ \"$code\" -ne 6 ]", ""),
    (TEMPLATE, "0) state=closed ;; 2 | 6)", "0 | 6) state=closed ;; 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_a_change_of_a_line_that_guards_something_is_found(file: str, old: str, new: str) -> None:
    files = starter("gitlab" if file == TEMPLATE else "github")
    assert old in files[file]
    at = -1
    # Each place by itself: one that is changed is not hidden behind another.
    while (at := files[file].find(old, at + 1)) >= 0:
        changed = files[file][:at] + new + files[file][at + len(old) :]
        assert broken({**files, file: changed}), (file, old, changed[at - 200 : at + 100])


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_the_starter_has_them_all(host: str) -> None:
    assert broken(starter(host)) == []
