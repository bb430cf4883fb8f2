"""The runner of workflows by hand reads conditions and carries outputs as a real one does."""

import pytest

from test.workflow_expressions import evaluate, filled_in, is_met

pytestmark = pytest.mark.fast
CONTEXT = {
    "github": {
        "event": {"issue": {"number": 42}, "action": "closed"},
        "ref": "refs/heads/main",
        "event_name": "issues",
    },
    "env": {"SYSTOCK_DATABASE_URL": ""},
    "needs": {"plan": {"result": "success", "outputs": {"run_elt": "true"}}},
    "secrets": {},
    "went_well": True,
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("github.event.issue.number || github.ref", 42),
        ("github.event.pull_request.number || github.ref", "refs/heads/main"),
        ("env.SYSTOCK_DATABASE_URL == ''", True),
        ("env.SYSTOCK_DATABASE_URL != '' && github.ref", False),
        ("!cancelled() && needs.plan.outputs.run_elt == 'true' && (needs.plan.result == 'success' || false)", True),
        ("github.event_name == 'schedule' && 'expired' || github.event.issue.number", 42),
        ("github.event.action != 'deleted'", True),
        ("contains(fromJSON('[\"a\", \"b\"]'), 'b')", True),
        ("always()", True),
        ("failure() || cancelled()", False),
        ("'it''s'", "it's"),
        ("github.nothing.at.all", None),
    ],
)
def test_an_expression_is_worth_what_a_runner_makes_of_it(expression, value):
    assert evaluate(expression, CONTEXT) == value


def test_a_text_is_filled_in_and_what_is_missing_is_empty():
    assert filled_in("a-${{ github.event.issue.number }}-${{ secrets.NONE }}-b", CONTEXT) == "a-42--b"
    assert filled_in("x-${{\n  github.ref\n}}", CONTEXT) == "x-refs/heads/main"
    assert not is_met(evaluate("secrets.NONE", CONTEXT))
