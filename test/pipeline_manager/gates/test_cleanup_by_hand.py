"""The nightly steps of the cleanup workflow, run by hand: what is expired goes, what is not stays."""

import subprocess
import time

import pytest

from test.workflow_steps import SKIPPED, SUCCESS, ByHand

pytestmark = pytest.mark.slow


def systock(runner, database_url, *arguments):
    done = subprocess.run(
        [".venv/bin/systock", *arguments, "--database-url", database_url], cwd=runner.workspace, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_the_nightly_cleanup_drops_what_is_expired_and_leaves_the_rest(database_url):
    with ByHand(secrets={"SYSTOCK_DATABASE_URL": database_url}) as runner:
        systock(runner, database_url, "env", "create", "short", "--from", "empty", "--days", "0.00001")
        systock(runner, database_url, "env", "create", "long", "--from", "empty", "--days", "3")
        time.sleep(1)  # the lease of the first is 0.9 s
        jobs = runner.run("cleanup.yml", "schedule", {"schedule": "41 3 * * *"})
        assert {name: job.result for name, job in jobs.items()} == {"drop": SKIPPED, "gc": SUCCESS}, jobs["gc"].output
        listed = systock(runner, database_url, "env", "list")
    assert "long" in listed and "short" not in listed


def test_without_a_warehouse_that_outlives_a_job_the_night_has_nothing_to_do():
    with ByHand() as runner:
        jobs = runner.run("cleanup.yml", "schedule", {})
        assert (jobs["gc"].result, jobs["gc"].steps) == (SUCCESS, [])
