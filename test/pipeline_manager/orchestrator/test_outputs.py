"""What people wrote elsewhere cannot become a command of a runner, an output, or Markdown that acts."""

import re
from pathlib import Path

import pytest

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.settings import Settings
from pipeline_manager.orchestrator.comment import LONGEST, comment_on
from pipeline_manager.orchestrator.markdown import code, fenced, plain
from pipeline_manager.orchestrator.outputs import (
    plan_outputs,
    run_address,
    shown,
    write_outputs,
    write_step_summary,
)
from pipeline_manager.orchestrator.plan import Plan, make_plan
from pipeline_manager.orchestrator.required import require_settings
from pipeline_manager.orchestrator.results import StageResult, summary_markdown, summary_text
from test.pipeline_manager.orchestrator.payloads import event, issue_payload, push_payload
from test.security.payloads import PAYLOADS

pytestmark = pytest.mark.fast
HOSTILE = [
    *PAYLOADS,
    "x\nrun_elt=true\nenvironment=prod",
    "::set-output name=run_elt::true",
    " ::error::x",
    "##[group]x",
    "\x1b[2J\u202e\u2066",
    "@everyone <!-- --> </details> | x | [x](javascript:alert(1)) ![x](http://x/y.png) https://evil.example #1",
    "```\n# heading",
]


def outputs_of(path: Path) -> dict[str, str]:
    """Read a file of outputs as a runner does."""
    lines, found = path.read_text(encoding="utf-8").split("\n"), {}
    while lines and lines[0]:
        name, _, mark = lines.pop(0).partition("<<")
        end = lines.index(mark)
        found[name] = "\n".join(lines[:end])
        del lines[: end + 1]
    return found


def test_a_plan_s_outputs_are_words_of_our_own_whatever_the_event_says(tmp_path):
    for number, text in enumerate(HOSTILE):
        target = tmp_path / f"output{number}"
        settings = Settings(tmp_path, environ={"GITHUB_OUTPUT": str(target)})
        asked = issue_payload("labeled", label="feature", body=f"Schema/Object Name: {text}", title=text)
        plans = [make_plan(event("issues", asked)), make_plan(event("push", push_payload(text, ref=text)))]
        for plan in plans:
            target.unlink(missing_ok=True)
            write_outputs(settings, plan_outputs(plan))
            found = outputs_of(target)
            assert found == plan_outputs(plan)
            assert re.fullmatch(r"[a-z0-9_]*", found["environment"])
            assert all(re.fullmatch(r"[a-z0-9_,]*", value) for value in found.values())


@pytest.mark.parametrize("value", ["a\nb=c", "a\rb", "a\x0bb", "a\u2028b", "a\x85b"])
def test_an_output_of_more_than_one_line_is_refused(tmp_path, value):
    settings = Settings(tmp_path, environ={"GITHUB_OUTPUT": str(tmp_path / "output")})
    with pytest.raises(UsageError, match="more than one line"):
        write_outputs(settings, {"reason": value})
    assert not (tmp_path / "output").exists()


def test_without_a_runner_nothing_is_written(tmp_path):
    write_outputs(Settings(tmp_path), {"a": "b"})
    write_step_summary(Settings(tmp_path), "x")
    assert list(tmp_path.iterdir()) == []


def test_no_line_that_is_printed_is_a_command_of_a_runner():
    for text in HOSTILE:
        line = shown(text)
        assert "\n" not in line
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert "\x1b" not in line


def test_text_in_a_paragraph_or_a_table_stays_text():
    for text in HOSTILE:
        told = plain(text)
        assert not re.search(r"[\\`*<>\[\]|@~$\n]", told)
        assert "://" not in told
        assert not re.search(r"(?<!&)#", told)


def test_code_cannot_be_left_by_what_is_in_it():
    for text in HOSTILE:
        span = code(text)
        ticks = re.match(r"`*", span).group()  # type: ignore[union-attr]
        assert "\n" not in span
        assert not ticks or not re.search(rf"(?<!`){ticks}(?!`)", span[len(ticks) : -len(ticks)])
        lines = fenced(text).split("\n")
        assert lines[0] == lines[-1]
        assert not any(line.strip().startswith(lines[0]) for line in lines[1:-1])


def test_a_summary_tells_every_stage_its_seconds_and_the_run():
    plan = make_plan(event("push", push_payload("x #run_elt")))
    results = [StageResult("elt", "failed", "no | room\n# x", 12.34)]
    text = summary_text(plan, results, "https://forge.example/r/1")
    assert "  elt            failed      12.3 s  no | room\n# x" in text
    assert any(line.strip().startswith("observability") and "skipped" in line for line in text)
    told = summary_markdown(plan, results, "https://forge.example/r/1")
    assert "| elt | failed | 12.3 | no &#124; room\\n&#35; x |" in told.replace("&#92;", "\\").replace("&#35;", "&#35;")
    assert "[The run](https://forge.example/r/1)" in told


def test_a_long_comment_is_cut_where_it_does_no_harm():
    plan = Plan("issues.labeled", "x", ("elt",), issue=1)
    block = "<details>\n\n" + fenced("a line\n" * 20_000) + "\n\n</details>"
    told = comment_on(plan, [StageResult("elt", "success", "x", markdown=block)], "")
    assert len(told) < LONGEST + 500
    assert told.count("```") % 2 == 0
    assert told.count("<details>") == told.count("</details>")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x/) [y](z", "https://x/\ny", "file:///etc"])
def test_the_run_s_address_is_a_web_address_or_nothing(tmp_path, address):
    with pytest.raises(UsageError, match="no web address"):
        run_address(Settings(tmp_path), address)


def test_the_run_s_address_is_made_of_what_a_runner_sets(tmp_path):
    told = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "me/stock", "GITHUB_RUN_ID": "7"}
    assert run_address(Settings(tmp_path, environ=told), None) == "https://github.com/me/stock/actions/runs/7"
    assert run_address(Settings(tmp_path), None) == ""


def test_settings_of_snowflake_are_asked_for_by_name_and_only_where_it_is_wanted():
    require_settings({}, ["elt"])
    require_settings({"SYSTOCK_ENGINE": "snowflake"}, ["security"])
    wanted = {"SYSTOCK_ENGINE": "snowflake", "SNOWFLAKE_ACCOUNT": "a", "SNOWFLAKE_USER": "b", "SNOWFLAKE_ROLE": "c"}
    with pytest.raises(UsageError, match="SNOWFLAKE_PASSWORD, SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE are not set"):
        require_settings(wanted, ["elt"])
    by_key = {"SNOWFLAKE_WAREHOUSE": "d", "SNOWFLAKE_DATABASE": "e", "SNOWFLAKE_PRIVATE_KEY_PATH": "key.p8"}
    require_settings(wanted | by_key, ["elt"])
    with pytest.raises(UsageError, match="Name the keeper, where the numbers are decided, by SYSTOCK_KEEPER_URL"):
        require_settings(wanted | by_key | {"SYSTOCK_DATABASE_URL": "postgresql://h/d"}, ["elt"])
    with pytest.raises(UsageError, match="SYSTOCK_ENGINE is none of"):
        require_settings({"SYSTOCK_ENGINE": "duck"}, ["elt"])
