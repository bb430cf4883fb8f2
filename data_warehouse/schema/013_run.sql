-- What runs did: each run, its stages, what each feed delivered, and what was checked.
-- Written at the end of a run, also of a failed one (pipeline_manager/recording.py), never within a load's transaction:
-- no fact depends on it.   Read by: `systock observe`, gold.feed_health.
create table if not exists {{ ops }}.run (
    run_id text primary key,
    env text not null,
    retailer text not null default '',
    outcome text not null check (outcome in ('running', 'done', 'failed', 'lost')),
    sentence text not null default '',
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    known bigint not null default 0,
    batches integer not null default 0,
    files_new integer not null default 0,
    files_refused integer not null default 0,
    files_unclaimed integer not null default 0
);
create index if not exists run_started on {{ ops }}.run (started_at);
comment on table {{ ops }}.run is
'Every run on this environment. Grain: run. outcome: running, done, failed, or lost: it ended without a word, and the '
'next run noticed. sentence says why it failed. The rounds of a watch have no row of their own.';
comment on column {{ ops }}.run.known is 'The last load that the run knew of when it ended.';

create table if not exists {{ ops }}.stage (
    run_id text not null references {{ ops }}.run on delete cascade,
    position integer not null,
    stage text not null,
    within text not null default '',
    seconds numeric not null,
    primary key (run_id, position)
);
comment on table {{ ops }}.stage is
'Where the time of a run went. Grain: run and stage, in order; within names the stage that it is a part of.';

create table if not exists {{ ops }}.feed_metric (
    run_id text not null,
    feed text not null,
    place text not null default '',
    day date not null,
    files integer not null default 0,
    files_set_aside integer not null default 0,
    records bigint not null default 0,
    set_aside bigint not null default 0,
    loaded bigint,
    fresh bigint,
    first_event_day date,
    last_event_day date,
    event_days integer not null default 0,
    arrived_at timestamptz not null,
    primary key (run_id, feed, place, day)
);
create index if not exists feed_metric_day on {{ ops }}.feed_metric (feed, day);
comment on table {{ ops }}.feed_metric is
'What was delivered. Grain: run, feed, place and local day that the files stand for (their own time, or their arrival '
'where they tell none). place is empty for the feed as a whole, else the folder that owes files, or the location or '
'supplier that the records name.';
comment on column {{ ops }}.feed_metric.records is 'Records that came, known ones too, without headers and blanks.';
comment on column {{ ops }}.feed_metric.set_aside is 'Records set aside; of the feed as a whole and of folders.';
comment on column {{ ops }}.feed_metric.loaded is
'Records that no file had told before. Null where a load was too large to look into.';
comment on column {{ ops }}.feed_metric.fresh is
'Of the loaded, those about the day of the file or later: a backfill has none. Null as for loaded.';
comment on column {{ ops }}.feed_metric.event_days is 'How many local days the loaded records tell of.';

create table if not exists {{ ops }}."check" (
    run_id text not null references {{ ops }}.run on delete cascade,
    "check" text not null,
    subject text not null,
    place text not null default '',
    is_kept boolean not null,
    severity text not null default 'warning',
    amount bigint not null default 0,
    sentence text not null,
    advice text not null default '',
    primary key (run_id, "check", subject, place)
);
comment on table {{ ops }}."check" is
'What was checked at the end of a run: the laws, and what was found about deliveries. Grain: run, check, subject and '
'place.';
