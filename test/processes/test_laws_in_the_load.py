"""The laws are checked before COMMIT: a load that would break one is taken back and nobody has ever seen it."""

from contextlib import closing

import psycopg2
import pytest

from test.pipeline_manager.small_retailer import write_files
from test.pipeline_manager.test_named_cases import move
from test.torture.telling import assert_same

HARMS = {
    "5": "update silver.position set quantity = quantity + 1",
    "8": "update silver.record set is_current = false where document = 'D7'",
    "1": "delete from bronze.block where file_id = (select file_id from bronze.file where name like '%02-07%')",
    "13": "insert into silver.quarantine select f.file_id, 9, 9, 0, 1, '', 'no_rule', 's', null, null, 'c', k, null "
    "from bronze.file as f, generate_series(1, 2) as k where f.name like 'move%02-07%'",
}
# A trigger does the harm in the middle of the load, after the positions are recomputed.
HARM = """
    create function harm() returns trigger language plpgsql security definer as $$
    begin
        if exists (select 1 from bronze.file where name like 'move%02-07%') then {harm}; end if;
        return new;
    end $$;
    create trigger harm before update of touched_keys on ops.batch for each row execute function harm();
"""


@pytest.mark.parametrize("law", sorted(HARMS))
def test_a_load_that_breaks_a_law_is_taken_back_and_told(tortured, feeds, inbox, law):
    tortured.finish(feeds, inbox)
    before = tortured.hashes()
    with closing(psycopg2.connect(tortured.url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(HARM.replace("{harm}", HARMS[law]))
    write_files(inbox, {"move_2025-02-07.csv": move("D7", "2025-02-07T09:00:00", 5)})

    ended = tortured.start(feeds, inbox).end()

    assert ended.code == 1
    assert f"A law of the warehouse is broken: law {law}" in ended.said or f"; law {law}" in ended.said
    assert "was taken back" in ended.said
    assert tortured.hashes() == before
    verdict = tortured.rows("select distinct known, run_id is not null from ops.law where not is_kept")
    assert len(verdict) == 1 and verdict[0][1]
    assert tortured.value("select count(*) from ops.batch where known = %s", (verdict[0][0],)) == 0

    with closing(psycopg2.connect(tortured.url)) as connection:
        connection.autocommit = True
        connection.cursor().execute("drop trigger harm on ops.batch")
    tortured.finish(feeds, inbox)
    tortured.check()


def test_what_a_load_changed_is_judged_again_although_the_runner_died_in_between(stage, tortured, feeds, inbox):
    """A pack size that changes concerns files loaded long ago; which ones is written with the load that changed it."""
    packs = {"pack_2025-02-01.csv": "A,CS,2,2025-02-01\n"}
    cases = {"move_2025-02-05.csv": move("D8", "2025-02-05T09:00:00", 1, unit="CS")}
    change = {"pack_2025-02-06.csv": "A,CS,3,2025-02-06\n"}
    tortured.finish(feeds, write_files(inbox, packs | cases))
    ended = tortured.start(feeds, write_files(inbox, change), failpoint="load.after_names").end()
    assert ended.code is None
    assert tortured.value("select count(*) from ops.to_judge_again") > 0

    tortured.finish(feeds, stage.room("inbox"))

    calm = stage.make()
    calm.finish(feeds, inbox)
    assert_same(calm, tortured)
    tortured.check_tidy()
    calm.drop()
