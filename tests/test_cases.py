"""Golden cases: manifests and what AWS has, and the plan that follows, as text, as data and as a comment.

A case is a folder of `tests/cases`: `manifest.yaml`, `live.json` (nothing in AWS if absent), `plan.txt`, `plan.json`,
`plan.md`. UPDATE_CASES=1 writes the plans anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from reconciler.data import data_path
from reconciler.manifest import load
from reconciler.render.data import to_json
from reconciler.render.markdown.limit import GITHUB_COMMENT
from reconciler.render.markdown.plan import plan_markdown
from reconciler.render.text import text
from tests.rendered import foreign, shape
from tests.support import live_from_json, plan_for

CASES = sorted(path.parent for path in Path(__file__).parent.glob("cases/*/manifest.yaml"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_plan_of_the_case(case: Path) -> None:
    manifest = load([str(case / "manifest.yaml")])
    live = live_from_json(case / "live.json", manifest.accounts) if (case / "live.json").exists() else {}
    plan = plan_for(manifest, live)
    comment = plan_markdown(plan, wanted=bool(plan.wanted()), limit=GITHUB_COMMENT, hidden=True)
    results = {"plan.txt": text(plan), "plan.json": to_json(plan), "plan.md": comment}
    jsonschema.Draft202012Validator(json.loads(data_path("schemas/plan.schema.json").read_text())).validate(
        json.loads(results["plan.json"])
    )
    for name, result in results.items():
        if os.environ.get("UPDATE_CASES"):
            (case / name).write_text(result, encoding="utf-8")
        assert result == (case / name).read_text(encoding="utf-8")
    assert foreign(shape(comment)) == []


def test_there_are_cases() -> None:
    assert len(CASES) >= 8
