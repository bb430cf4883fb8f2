"""The server goes away, is full, or says "not now": all or nothing, a few tries, a sentence (faults P2 to P5)."""

import random as chance
from contextlib import closing

import psycopg2
import pytest

from test.torture import mishaps
from test.torture.proxy import WAS_CUT, cut_at_commit
from test.torture.telling import assert_same

FAILS_AT_FIRST = """
    create sequence tries;
    grant usage on sequence tries to public;
    create function stumble() returns trigger language plpgsql as $$
    begin
        if nextval('public.tries') <= {times} then
            raise exception 'made up' using errcode = '{state}';
        end if;
        return new;
    end $$;
    create trigger stumble before insert on ops.batch for each row execute function stumble();
"""


def prepare(warehouse, statement):
    with closing(psycopg2.connect(warehouse.url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def stumble(warehouse, state, times):
    prepare(warehouse, FAILS_AT_FIRST.format(state=state, times=times))


LOAD = b"insert into ops.batch"
"""What only the transaction of a load sends: its COMMIT is found by it, wherever among all COMMITs it stands."""
OTHERS = [*((number, True) for number in (1, 2, 3, 4, 5, 6, 12, 14, 16, 18)), (13, False), (15, False)]
"""Which COMMIT of all is cut, and whether it landed: before the loads and after them."""


def run_with_a_cut(tortured, feeds, inbox, **cut):
    with cut_at_commit(tortured.stage.server.socket_folder, **cut) as folder:
        url = f"postgresql://postgres@/{tortured.name}?host={folder}&port=5432"
        ended = tortured.start(feeds, inbox, url=url).end()
        assert (folder / WAS_CUT).exists()
    assert ended.is_done, ended
    tortured.check()


@pytest.mark.parametrize("cut", [(1, True), (2, True), (1, False), (2, False)])
def test_p3_a_commit_whose_reply_is_lost_is_looked_up_and_not_repeated(tortured, clean, feeds, inbox, cut):
    run_with_a_cut(tortured, feeds, inbox, number=cut[0], lands=cut[1], of=LOAD)
    loads = "select count(*), count(distinct run_id) from ops.batch"
    assert tortured.rows(loads) == clean.rows(loads) == [(2, 1)]
    assert_same(clean, tortured)


@pytest.mark.parametrize("cut", OTHERS)
def test_p3_any_other_step_whose_commit_is_cut_is_harmless_to_do_again(tortured, clean, feeds, inbox, cut):
    run_with_a_cut(tortured, feeds, inbox, number=cut[0], lands=cut[1])
    assert_same(clean, tortured)


def test_p2_a_server_that_falls_in_a_run_costs_nothing_but_a_second_run(stage, tortured, clean, feeds, inbox):
    mishaps.server_fell(tortured, feeds, inbox, chance.Random(1))
    tortured.finish(feeds, inbox)
    tortured.check()
    assert_same(clean, tortured)


def test_p2_a_session_that_is_ended_is_opened_again_and_the_run_goes_on(tortured, clean, feeds, inbox):
    mishaps.session_ended(tortured, feeds, inbox, chance.Random(2))
    assert_same(clean, tortured)


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "53300", "08006"])
def test_p5_a_conflict_that_passes_is_tried_again(tortured, clean, feeds, inbox, state):
    stumble(tortured, state, 2)
    tortured.finish(feeds, inbox)
    assert tortured.value("select last_value from tries") > 2
    assert_same(clean, tortured)


def test_p5_a_conflict_that_does_not_pass_ends_after_five_tries_with_a_sentence(tortured, clean, feeds, inbox):
    stumble(tortured, "40001", 99)
    ended = tortured.start(feeds, inbox).end()
    assert ended.code == 1
    assert "did not take this step in 5 tries: the server could not serialize it" in ended.said
    assert tortured.value("select last_value from tries") == 5
    assert tortured.value("select count(*) from bronze.file") == 0
    prepare(tortured, "drop trigger stumble on ops.batch")
    tortured.finish(feeds, inbox)
    assert_same(clean, tortured)


def test_p5_a_lock_that_is_held_for_a_moment_is_waited_out(tortured, clean, feeds, inbox):
    mishaps.a_lock_in_the_way(tortured, feeds, inbox, chance.Random(3))
    assert_same(clean, tortured)


@pytest.mark.parametrize("state", ["53100", "53400"])
def test_p4_a_server_without_room_stops_the_run_at_once_and_keeps_what_was_published(
    tortured, clean, feeds, inbox, state
):
    stumble(tortured, state, 1)
    ended = tortured.start(feeds, inbox).end()
    assert ended.code == 1
    assert "Make room, then start the run again" in ended.said
    assert tortured.value("select last_value from tries") == 1
    tortured.wait_for_quiet()
    tortured.finish(feeds, inbox)
    assert_same(clean, tortured)


def test_p4_a_real_limit_on_temporary_files_is_told_as_that(tortured, clean, feeds, inbox):
    prepare(tortured, f"alter database {tortured.name} set temp_file_limit = '0'")
    prepare(tortured, f"alter database {tortured.name} set work_mem = '64kB'")
    rows = "".join(f"D{n},1,1,A,W1,2025-02-01T08:00:00,1,EA,in,\n" for n in range(30_000))
    from test.pipeline_manager.small_retailer import write_files

    write_files(inbox, {"move_2025-02-03.csv": rows})
    ended = tortured.start(feeds, inbox).end()
    assert ended.code == 1
    assert "A limit of the server is reached" in ended.said
    assert tortured.value("select count(*) from bronze.file where name like 'move%%'") == 0
    prepare(tortured, f"alter database {tortured.name} reset all")
    tortured.finish(feeds, inbox)
    tortured.check()
