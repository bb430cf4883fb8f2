"""Arrivals: names are told when something happens below a folder."""

import time
from pathlib import Path

import pytest

from etl_pipeline.core.errors import UsageError
from extract.arrivals import Arrivals
from test.closed_inbox import closed_inbox


def wait_for(arrivals, wanted, seconds=20.0):
    """Take until all wanted names were told, or time is up; return what was told."""
    told: set[Path] = set()
    end = time.monotonic() + seconds
    while not wanted <= told and time.monotonic() < end:
        told |= arrivals.take(0.2)
    return told


@pytest.mark.parametrize("poll", [False, True])
def test_what_is_written_renamed_or_put_deep_below_is_told(tmp_path, poll):
    inbox = tmp_path / "inbox"
    (inbox / "deep").mkdir(parents=True)
    (inbox / "old.csv").touch()
    with Arrivals([inbox], poll=poll) as arrivals:
        assert arrivals.take(0.0) == set()
        (inbox / "deep" / "a.csv").write_text("a")
        (inbox / "b.tmp").write_text("b")
        (inbox / "b.tmp").rename(inbox / "b.csv")
        wanted = {inbox / "deep" / "a.csv", inbox / "b.csv"}
        told = wait_for(arrivals, wanted)
        assert wanted <= told
        assert inbox / "old.csv" not in told


def test_a_folder_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="Make it"), Arrivals([tmp_path / "nowhere"]):
        pass


def test_a_folder_that_may_not_be_looked_into_keeps_no_other_from_being_told():
    with closed_inbox() as inbox, Arrivals([inbox]) as arrivals:
        (inbox / "open" / "b.csv").write_text("b")
        wanted = {inbox / "open" / "b.csv"}
        assert wanted <= wait_for(arrivals, wanted)


def test_an_inbox_that_may_not_be_looked_into_is_an_error_that_says_what_to_do():
    with closed_inbox() as inbox, pytest.raises(UsageError, match="right to read"), Arrivals([inbox / "closed"]):
        pass


def test_looking_again_and_again_ends_at_a_closed_folder_and_says_what_to_do():
    with (
        closed_inbox() as inbox,
        pytest.raises(UsageError, match="right to read"),
        Arrivals([inbox], poll=True) as told,
    ):
        wait_for(told, {inbox / "nothing"})
