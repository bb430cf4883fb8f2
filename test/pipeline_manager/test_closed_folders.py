"""What lies in a folder that may not be looked into does not stay out in silence."""

from pathlib import Path
from typing import Any, cast

import pytest

from etl_pipeline.contracts.loading import load_feeds
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.closed_folders import closed_folders
from etl_pipeline.core.progress import SilentProgress
from etl_pipeline.core.settings import load_settings
from pipeline_manager.flow import Options, Run, land_all
from pipeline_manager.report import RunReport
from pipeline_manager.waiting import Waiting
from pipeline_manager.watching import Pace, Watch
from test.closed_inbox import closed_inbox
from test.run_warehouse import REPO

pytestmark = pytest.mark.fast
TOLD = {"closed": "The folder closed may not be looked into; give this user the right to read it."}


def test_a_folder_that_may_not_be_looked_into_is_named_and_a_hidden_one_or_lost_and_found_is_not():
    with closed_inbox() as inbox:
        assert closed_folders(inbox) == TOLD
        assert list(closed_folders(inbox / "closed")) == ["."]
        assert closed_folders(inbox / "open") == {}


def test_a_run_names_it_among_what_it_could_not_take():
    nothing = cast("Any", None)
    feeds = load_feeds(REPO / "feeds" / "simulated")
    with closed_inbox() as inbox:
        run = Run(feeds, nothing, nothing, BronzeStore(Path(inbox, "bronze")), RunReport("prod", "x"), SilentProgress())
        assert land_all(run, [inbox]) == []
    assert run.report.refused == TOLD


def test_a_folder_that_may_be_listed_but_not_entered_ends_no_run():
    nothing = cast("Any", None)
    feeds = load_feeds(REPO / "feeds" / "simulated")
    with closed_inbox() as inbox:
        run = Run(feeds, nothing, nothing, BronzeStore(Path(inbox, "bronze")), RunReport("prod", "x"), SilentProgress())
        (inbox / "open" / "listed").mkdir()
        (inbox / "open" / "listed" / "a.csv").write_text("a")
        (inbox / "open" / "listed").chmod(0o444)
        land_all(run, [inbox])
        (inbox / "open" / "listed").chmod(0o700)
    assert "open/listed" in run.report.refused


def test_a_folder_that_is_closed_after_its_file_was_told_of_ends_no_watch():
    nothing = cast("Any", None)
    feeds = load_feeds(REPO / "feeds" / "simulated")
    with closed_inbox() as inbox:
        watch = Watch(nothing, feeds, Options(Path("feeds"), inbox), Pace(), load_settings({}, inbox))
        watch.look({inbox / "closed" / "a.csv"})
        assert len(watch.waiting) == 0


def test_a_file_that_might_not_be_read_is_taken_again_once_it_may():
    with closed_inbox() as inbox:
        path, waiting = inbox / "open" / "b.csv", Waiting()
        path.write_text("a\n1\n")
        path.chmod(0)
        waiting.add([path])
        assert waiting.ready(10, 1 << 40) == [path]
        waiting.done(path)
        waiting.add_unseen([path])
        assert len(waiting) == 0
        path.chmod(0o400)
        waiting.add_unseen([path])
        assert waiting.ready(10, 1 << 40) == [path]
