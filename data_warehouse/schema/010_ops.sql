-- ops: how the warehouse runs: batches, feeds, laws. Written by the load, read by people and commands.
-- Only where one is missing: the role of an environment owns its schemas, and may create no others.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['{{ ops }}', '{{ bronze }}', '{{ silver }}', '{{ gold }}'] loop
        if to_regnamespace(wanted) is null then
            execute format('create schema %I', wanted);
        end if;
    end loop;
end
$$;

create table if not exists {{ ops }}.setting (
    name text primary key,
    value text not null
);
comment on table {{ ops }}.setting is 'Facts about this warehouse: its retailer, the version of its schema.';

create table if not exists {{ ops }}.batch (
    known bigint generated always as identity primary key,
    run_id text not null,
    started_at timestamptz not null default clock_timestamp(),
    files integer not null default 0,
    records bigint not null default 0,
    facts bigint not null default 0,
    touched_keys bigint not null default 0
);
alter table {{ ops }}.batch add column if not exists token uuid unique;
comment on table {{ ops }}.batch is 'One row per load transaction. Grain: known, the load sequence number.';
comment on column {{ ops }}.batch.token is
'Given by the runner before COMMIT, so that it can find out whether a COMMIT landed whose reply was lost.';

create table if not exists {{ ops }}.heartbeat (
    watcher text primary key,
    run_id text not null,
    waiting integer not null,
    beaten_at timestamptz not null default clock_timestamp()
);
comment on table {{ ops }}.heartbeat is
'Whether somebody watches for files: one row, written every few seconds while it lives. No fact depends on it.';

create table if not exists {{ ops }}.to_judge_again (
    file_id bigint primary key,
    known bigint not null
);
comment on table {{ ops }}.to_judge_again is
'Files that used a code whose meaning a load changed, until they are judged again. Written with that load, so that a '
'runner that dies in between forgets nothing.';

create table if not exists {{ ops }}.feed (
    feed_id integer generated always as identity primary key,
    feed text not null unique,
    source_system text not null,
    describes text not null,
    contract_hash text not null,
    has_key boolean not null,
    every_hours numeric,
    grace_hours numeric
);
comment on table {{ ops }}.feed is 'Every feed ever loaded, with the contract it was last loaded by.';

create table if not exists {{ ops }}.law (
    known bigint not null,
    law text not null,
    is_kept boolean not null,
    violations bigint not null,
    sentence text not null,
    primary key (known, law)
);
alter table {{ ops }}.law add column if not exists run_id text;
comment on table {{ ops }}.law is
'Outcome of the laws checked within each load, before its COMMIT. Grain: load and law. A load that broke one was '
'taken back: its number stands here and not in ops.batch.';
