"""What a small load reads of the server's tables: what it brought, and not what came before it."""

import time
from pathlib import Path

import pytest

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move
from test.pipeline_manager.test_watch import watching
from test.run_warehouse import RunWarehouse

LOADS, ROUNDS = 3_000, 4
HISTORY = f"""
    create temporary table one_file as select * from bronze.file where name like 'move%%' order by file_id limit 1;
    create temporary table later as
    select n, b.known + n as known, f.file_id + n as file_id
    from generate_series(1, {LOADS}) as n
    cross join (select max(known) as known from ops.batch) as b
    cross join (select max(file_id) as file_id from bronze.file) as f;
    insert into ops.batch (known, run_id, token, files, records, content_hash, previous_hash, chain_hash)
    overriding system value
    select l.known, b.run_id, gen_random_uuid(), 1, 1, b.content_hash, b.previous_hash, b.chain_hash
    from later as l cross join (select * from ops.batch order by known desc limit 1) as b;
    select setval(pg_get_serial_sequence('ops.batch', 'known'), (select max(known) from ops.batch));
    insert into bronze.file overriding system value
    select r.*
    from later as l
    cross join one_file as f
    cross join lateral jsonb_populate_record(f, jsonb_build_object(
        'file_id', l.file_id, 'sha256', md5(cast(l.n as text)), 'name', 'move_' || l.n || '.csv', 'known', l.known,
        'bytes_known', l.known
    )) as r;
    select setval(pg_get_serial_sequence('bronze.file', 'file_id'), (select max(file_id) from bronze.file));
    insert into bronze.file_name (file_id, name, known) select file_id, 'move_' || n || '.csv', known from later;
    insert into ops.law
    select l.known, w.law, w.is_kept, w.violations, w.sentence, w.run_id
    from later as l cross join (select * from ops.law where known = (select max(known) from ops.law)) as w;
    insert into ops.answer_sample
    select l.known, a.at_time, a.product_id, a.location_id, a.answer
    from later as l
    cross join (select * from ops.answer_sample where at_known = (select max(at_known) from ops.answer_sample)) as a;
    do $$
    declare
        link text := coalesce(
            (select s.chain_hash from gold.snapshot as s where s.kind = 'sales' order by s.snapshot_id desc limit 1), ''
        );
    begin
        for n in 1..{LOADS} loop
            insert into gold.snapshot (kind, business_date, version, known, rows, content_hash, previous_hash,
                chain_hash, sealed_at_known)
            values ('sales', date '2000-01-01' + n, 1, 1, 0, 'x', link,
                gold.chain_hash('sales', date '2000-01-01' + n, 1, 'x', link), 1)
            returning chain_hash into link;
        end loop;
    end $$;
    analyze;
"""
"""Three thousand loads of one file each and as many snapshots, as far as the laws of a load look at them."""
OTHERS = """
    select count(*)::int from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""
ROWS_READ = """
    select t.schemaname || '.' || t.relname, t.seq_tup_read + coalesce(sum(i.idx_tup_read), 0)::bigint
    from pg_stat_user_tables as t
    left join pg_stat_user_indexes as i on t.relid = i.relid
    where t.schemaname in ('bronze', 'silver', 'gold', 'ops')
    group by t.relid, t.schemaname, t.relname, t.seq_tup_read
"""


@pytest.fixture
def inbox(tmp_path) -> Path:
    return write_files(tmp_path / "inbox", MASTERS | {"move_2025-01-01.csv": move("D0", "2025-01-01T09:00:00", 5)})


def read_by_a_watch(warehouse: RunWarehouse, feeds: Path, inbox: Path, days: range) -> dict[str, int]:
    """Rows of each table that a watch read from its start to its end, with a file of one line for each day."""
    warehouse.rows("with gone as (delete from ops.heartbeat) select 1")  # by which the next one tells that it watches
    before = dict(warehouse.rows(ROWS_READ))
    with watching(warehouse, feeds, inbox) as watched:
        for day in days:
            watched.arrive(f"move_2025-02-{day:02}.csv", move(f"D{day}", f"2025-02-{day:02}T09:00:00", 1))
            assert watched.told()["files"] == 1
        watched.until(lambda: len(watched.rounds) == len(days))
    while warehouse.value(OTHERS):  # a session's reading is counted once it has ended
        time.sleep(0.02)
    return {table: int(rows - before.get(table, 0)) for table, rows in warehouse.rows(ROWS_READ)}


def test_a_round_of_a_watch_reads_nothing_of_the_thousands_of_loads_before_it(warehouse, inbox, tmp_path):
    feeds = write_feeds(tmp_path / "feeds")
    warehouse.run(feeds, inbox)
    read_by_a_watch(warehouse, feeds, inbox, range(1, 3))
    warehouse.rows(HISTORY + "select 1")
    idle = read_by_a_watch(warehouse, feeds, inbox, range(0))
    busy = read_by_a_watch(warehouse, feeds, inbox, range(3, 3 + ROUNDS))
    more = {table: busy[table] - idle[table] for table in busy}
    assert {table: rows for table, rows in more.items() if rows >= 1_000} == {}
    assert more["silver.record"] > 0, "nothing was counted"
