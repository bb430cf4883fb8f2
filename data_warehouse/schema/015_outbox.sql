-- What is wrong, from its first sight to its end, and the messages that wait to be sent about it.
create table if not exists {{ ops }}.incident (
    incident_id bigint generated always as identity primary key,
    kind text not null,
    subject text not null,
    place text not null default '',
    severity text not null check (severity in ('failure', 'warning')),
    sentence text not null,
    advice text not null,
    amount bigint not null default 0,
    told_amount bigint not null default 0,
    told_severity text not null,
    opened_at timestamptz not null,
    last_seen_at timestamptz not null,
    resolved_at timestamptz,
    times_seen bigint not null default 1
);
create unique index if not exists incident_open_once
on {{ ops }}.incident (kind, subject, place) where resolved_at is null;
comment on table {{ ops }}.incident is
'Something that a person should act on. Grain: kind, subject and place while it is open; seen again after its end it '
'is another one.';
comment on column {{ ops }}.incident.amount is 'How many it is about, as seen last; told_amount: as told last.';
comment on column {{ ops }}.incident.resolved_at is 'When a look did not find it any more; null while it is open.';

create table if not exists {{ ops }}.outbox (
    message_id bigint generated always as identity primary key,
    message jsonb not null,
    made_at timestamptz not null,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    leased_until timestamptz,
    lease uuid,
    is_in_doubt boolean not null default false,
    sent_at timestamptz,
    given_up_at timestamptz,
    reason text not null default ''
);
create index if not exists outbox_waiting
on {{ ops }}.outbox (message_id) where sent_at is null and given_up_at is null;
comment on table {{ ops }}.outbox is
'Messages for people. Written in the transaction that opens or resolves incidents, sent afterwards, in their order. '
'Grain: message_id.';
comment on column {{ ops }}.outbox.lease is 'Of the sender at work; only it may say what came of the attempt.';
comment on column {{ ops }}.outbox.is_in_doubt is
'An attempt began whose outcome nobody knows; the message is sent again, and says so.';
comment on column {{ ops }}.outbox.reason is 'What the last attempt came to, without the address.';
