"""Where the time of a run goes: its steps by the clock, and what the modules log within them."""

import io
import itertools
import logging

import pytest

from etl_pipeline.core.progress import PlainProgress, SilentProgress
from pipeline_manager.stages import Stage, StageClock

log = logging.getLogger("load.batch")
pytestmark = pytest.mark.fast


def ticking(progress=None):
    """A clock on which a second passes each time that it is looked at."""
    return StageClock(progress or SilentProgress(), clock=itertools.count().__next__)


def test_a_step_takes_until_it_is_done_or_the_next_begins():
    clock = ticking()
    clock.step("land")
    clock.step("load")
    clock.done("3 files")
    clock.done()
    assert clock.stages == [Stage("land", 1), Stage("load", 1)]


def test_a_step_of_several_rounds_is_told_once_with_all_its_seconds():
    clock = ticking()
    for _ in range(3):
        clock.step("load")
        clock.done()
    assert clock.stages == [Stage("load", 3)]


def test_what_is_logged_with_its_seconds_is_a_part_of_the_step():
    clock = ticking()
    with clock.listening():
        clock.step("load")
        log.info("%s: %.2f s", "place_records(%s)", 1.25)
        log.info("%s: %.2f s", "place_records(%s)", 0.5)
        log.info("copy: 1,000 rows, 2 tables, %.2f s", 3)
        clock.done()
    assert clock.stages == [Stage("load", 1), Stage("place_records", 1.75, "load"), Stage("copy", 3, "load")]


@pytest.mark.parametrize("line", ["file a.csv: set aside whole", "waited 3 s", "load: 2.00 s", "took: 5 seconds"])
def test_what_tells_no_seconds_of_a_part_is_no_stage(line):
    clock = ticking()
    with clock.listening():
        clock.step("load")
        log.info(line)
    assert [stage.name for stage in clock.stages] == ["load"]


def test_what_is_logged_between_steps_is_kept_without_one():
    clock = ticking()
    with clock.listening():
        log.info("connect: 0.25 s")
    assert clock.stages == [Stage("connect", 0.25)]


def test_listening_leaves_the_log_as_it_was():
    before = (logging.getLogger("load").level, list(logging.getLogger("load").handlers))
    with ticking().listening():
        assert logging.getLogger("load.batch").isEnabledFor(logging.INFO)
    assert (logging.getLogger("load").level, list(logging.getLogger("load").handlers)) == before


def test_people_are_told_what_they_were_told_without_the_clock():
    seen = io.StringIO()
    clock = ticking(PlainProgress(seen))
    clock.step("load", 3)
    clock.advance(2)
    clock.done()
    assert seen.getvalue().startswith("load: 2 (")
