"""The fields of an issue: forms as GitHub writes them, and lines as people do."""

import pytest

from pipeline_manager.orchestrator.asking import asked_in
from test.security.payloads import PAYLOADS

pytestmark = pytest.mark.fast
FORM = """### Schema/Object Name

inv_supplier_stage

### Feed name

supplier_stock

### Kind of file

CSV

### Inbox path

supplier

### Contract

```yaml
feed: supplier_stock
### Feed name
describes: "Schema/Object Name: other"
```

### Sample

_No response_
"""


def test_a_form_is_read_as_github_writes_it():
    for text in (FORM, FORM.replace("\n", "\r\n")):
        asked = asked_in(text)
        assert (asked.object_name, asked.feed) == ("inv_supplier_stage", "supplier_stock")
        assert (asked.kind, asked.inbox) == ("CSV", "supplier")
        assert asked.contract.startswith("feed: supplier_stock\n")
        assert asked.contract.count("\n") == 3
        assert asked.sample == ""


@pytest.mark.parametrize(
    "line",
    [
        "Schema/Object Name: inv_supplier_stage",
        "**Schema/Object Name:** inv_supplier_stage",
        "- schema/object name :  `inv_supplier_stage` ",
        "### Schema/Object Name\n\ninv_supplier_stage",
        "Please.\n\nSchema/Object Name: inv_supplier_stage\nThank you: bye",
    ],
)
def test_a_line_or_a_heading_names_the_object(line):
    assert asked_in(line).object_name == "inv_supplier_stage"


def test_what_stands_in_a_block_of_code_is_no_field():
    assert asked_in("```\nSchema/Object Name: x\n```\n").object_name == ""
    assert asked_in("````\n```\nSchema/Object Name: x\n````\nSchema/Object Name: y").object_name == "y"


def test_what_is_told_twice_counts_as_told_first():
    assert asked_in("Schema/Object Name: first\nSchema/Object Name: second").object_name == "first"


def test_a_block_in_yaml_is_the_contract_wherever_it_stands():
    assert asked_in("Here it is:\n```yml\nfeed: x\n```\n").contract == "feed: x\n"
    assert asked_in("### Contract\nfeed: x\nkey: y\n").contract == "feed: x\nkey: y\n"


def test_no_text_breaks_the_reading():
    for text in PAYLOADS:
        asked = asked_in(f"Schema/Object Name: {text}\n### Contract\n{text}\n```{text}\n{text}")
        assert "\n" not in asked.object_name
