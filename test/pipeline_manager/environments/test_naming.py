"""Names of environments from text that anybody may have written."""

import re

import pytest

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.names import Schemas
from pipeline_manager.environments.naming import LONGEST, checked_name, environment_name, is_environment_name, role_name
from test.security.payloads import PAYLOADS

pytestmark = pytest.mark.fast


def test_the_name_of_an_issue_is_its_object_and_its_number():
    assert environment_name("inv_supplier_stage", issue=42) == "inv_supplier_stage_issue_42"
    assert environment_name(" Inv Supplier-Stage ", issue=7) == "inv_supplier_stage_issue_7"
    assert environment_name("new_till", issue=None) == "new_till"


def test_no_payload_becomes_anything_but_a_safe_name_of_its_own():
    made = [environment_name(payload, issue=number) for number, payload in enumerate(PAYLOADS)]
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) for name in made)
    assert len(set(made)) == len(made)
    for name in made:
        Schemas.of(name).render("{{ bronze }} {{ silver }} {{ gold }} {{ ops }}")
        assert len(f"{name}_bronze") < 63 and len(role_name("x" * 63, name)) < 63


@pytest.mark.parametrize("payload", PAYLOADS[::7])
def test_no_payload_is_taken_as_a_name_that_was_typed(payload):
    with pytest.raises(UsageError):
        checked_name(payload)


@pytest.mark.parametrize(
    "taken",
    ["prod", "public", "pg_catalog", "pg_x", "gold", "silver", "bronze", "ops", "x_gold", "information_schema",
     "a" * (LONGEST + 1), "", "7up", "with-dash", "Caps", "new\n", "ünder"],
)  # fmt: skip
def test_what_is_taken_or_no_name_is_refused_when_typed_and_made_another_when_not(taken):
    assert not is_environment_name(taken)
    with pytest.raises(UsageError, match="cannot be the name"):
        checked_name(taken)
    assert is_environment_name(environment_name(taken, issue=None))
    assert is_environment_name(environment_name(taken, issue=3))


def test_two_long_texts_that_begin_alike_do_not_end_in_one_environment():
    one, other = ("supplier_" * 9 + end for end in ("a", "b"))
    assert environment_name(one, issue=1) != environment_name(other, issue=1)
    assert environment_name(one, issue=1) != environment_name(one, issue=2)
    assert environment_name(one, issue=123456789).endswith("_issue_123456789")
    assert is_environment_name(environment_name(one, issue=10**40))


def test_environments_of_one_name_in_two_databases_have_two_roles():
    assert role_name("one", "x") != role_name("other", "x")
