-- Events that somebody asked something by, each stage once; and which environment belongs to which issue or branch.
-- Both are prod's; in an environment of its own they are empty. pipeline_manager/orchestrator/claims.py writes them.
create table if not exists {{ ops }}.event (
    key text not null,
    stage text not null check (stage in ('security', 'elt', 'observability', 'cleanup')),
    event text not null,
    repository text not null,
    subject text not null,
    asked_at timestamptz,
    claimed_at timestamptz not null,
    attempts integer not null default 1,
    ended_at timestamptz,
    outcome text check (outcome in ('success', 'breach', 'failed', 'refused', 'skipped')),
    sentence text not null default '',
    seconds numeric,
    run_url text not null default '',
    primary key (key, stage)
);
comment on table {{ ops }}.event is
'What events asked for, and what came of it. Grain: key, a hash of what is asked, and stage. The same again is done '
'once; what failed, or was begun by a process that is gone, may be done again.';
comment on column {{ ops }}.event.subject is 'Whose environment it is about: issue:42, branch:try-it.';
comment on column {{ ops }}.event.asked_at is
'The instant that the event tells; a cleanup holds against all before it.';
comment on column {{ ops }}.event.ended_at is 'Null while somebody works on it, or where that process died.';
create index if not exists event_subject on {{ ops }}.event (repository, subject);

create table if not exists {{ ops }}.event_environment (
    environment text primary key,
    repository text not null,
    subject text not null,
    asked_at timestamptz,
    taken_at timestamptz not null
);
comment on table {{ ops }}.event_environment is
'Whose environment it is. Grain: environment. Written before it is made and struck out after it is dropped, so that a '
'cleanup finds it by its issue''s number or branch, whatever the issue says by then.';
