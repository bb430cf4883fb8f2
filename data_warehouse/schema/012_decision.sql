-- What people decided about what was set aside, and what contracts say about trust in a feed.
-- ops.decision outlives a full refresh: pipeline_manager/rebuilding.py carries it over.
create table if not exists {{ ops }}.decision (
    feed text not null,
    sha256 text not null,
    record_no bigint not null default 0,
    verdict text not null check (verdict in ('accept', 'dismiss')),
    reason text not null,
    decided_by text not null,
    decided_at timestamptz not null default clock_timestamp(),
    primary key (feed, sha256, record_no)
);
comment on table {{ ops }}.decision is
'What a person decided about a file (record 0) or a record that was set aside: accept lets it in, dismiss leaves it '
'out for good. Grain: feed, content and record. By content, so that a rebuild and a replay come to the same.';

alter table {{ ops }}.feed add column if not exists each_series text not null default 'feed';
alter table {{ ops }}.feed add column if not exists time_marks text not null default 'start';
alter table {{ ops }}.feed add column if not exists has_events boolean not null default true;
alter table {{ ops }}.feed add column if not exists clock_tolerance_minutes numeric not null default 2;
alter table {{ ops }}.feed add column if not exists most_variance numeric;
alter table {{ ops }}.feed add column if not exists past_due_days numeric not null default 14;
alter table {{ ops }}.feed add column if not exists past_due_grace_days numeric not null default 1;
comment on column {{ ops }}.feed.each_series is 'Who owes a file every time: the feed, or each folder of it.';
comment on column {{ ops }}.feed.time_marks is 'Whether a file''s own time is the start or the end of what it covers.';
comment on column {{ ops }}.feed.has_events is 'Whether it tells what happened, not only master data.';
comment on column {{ ops }}.feed.clock_tolerance_minutes is 'How far its clocks may be off.';
comment on column {{ ops }}.feed.past_due_days is 'How late goods may be and still be promised from.';
comment on column {{ ops }}.feed.past_due_grace_days is 'Late goods are expected this many days from now.';
comment on column {{ ops }}.feed.most_variance is 'Variance beyond which a count is for a second look.';
