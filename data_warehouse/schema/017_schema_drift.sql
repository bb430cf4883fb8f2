-- Schema drift: what a feed's files have that its earlier files had not, and what is gone from them.
-- Written by the load that brought the file (pipeline_manager/drift_noting.py), so a load that is taken back tells
-- nothing. A full refresh drops both tables and finds again what the contracts of now do not answer.
create table if not exists {{ ops }}.schema_column (
    feed text not null,
    column_name text not null,
    files bigint not null,
    primary key (feed, column_name)
);
comment on table {{ ops }}.schema_column is
'In how many loaded files of a feed a column was. Grain: feed and column; the row with an empty name counts all files.';

create table if not exists {{ ops }}.schema_drift (
    feed text not null,
    kind text not null check (kind in ('added', 'lost', 'renamed', 'retyped', 'new_value')),
    column_name text not null,
    detail jsonb not null default '{}',
    first_file_id bigint not null,
    first_file text not null,
    first_known bigint not null,
    first_seen_at timestamptz not null default clock_timestamp(),
    last_file_id bigint not null,
    times bigint not null default 1,
    misses bigint not null default 0,
    state text not null default 'open' check (state in ('open', 'accepted', 'gone')),
    primary key (feed, kind, column_name)
);
comment on table {{ ops }}.schema_drift is
'A column that a feed''s files gained, lost, renamed or write another way, and values that its contract does not know. '
'Grain: feed, kind and column. systock feeds evolve FEED proposes what to change in the contract.';
comment on column {{ ops }}.schema_drift.detail is 'What was seen: samples, other names, formats; bounded.';
comment on column {{ ops }}.schema_drift.times is 'Files that showed it.';
comment on column {{ ops }}.schema_drift.misses is 'Files in a row, up to the latest, that did not show it.';
comment on column {{ ops }}.schema_drift.state is
'open: the contract has no answer; accepted: it has one by now; gone: the files of late do not show it.';
