-- silver identity: which records exist, which revision of a key is current, what was set aside.
create table if not exists {{ silver }}.product_key (
    product_id integer generated always as identity primary key,
    product_code text not null unique,
    known_from bigint not null
);
comment on table {{ silver }}.product_key is
'Durable number of each product code. The number is local to this warehouse.';

create table if not exists {{ silver }}.location_key (
    location_id integer generated always as identity primary key,
    location_code text not null unique,
    known_from bigint not null
);
comment on table {{ silver }}.location_key is 'Durable number of each location code.';

create table if not exists {{ silver }}.record (
    record_id bigint generated always as identity primary key,
    feed_id integer not null,
    epoch text not null,
    document text not null,
    line text not null,
    content_hash uuid not null,
    revision_no numeric,
    updated_at timestamptz,
    file_at timestamptz,
    is_void boolean not null,
    is_current boolean not null,
    is_conflict boolean not null default false,
    is_withdrawn boolean not null default false,
    file_id bigint not null,
    record_no bigint not null,
    line_no bigint not null,
    byte_start bigint not null,
    byte_end bigint not null,
    known_from bigint not null
);
-- The document first: what tells keys apart is compared first, by everything that goes down the tree.
create unique index if not exists record_key
on {{ silver }}.record (document, line, content_hash, epoch, feed_id);
drop index if exists {{ silver }}.record_identity;
create index if not exists record_home on {{ silver }}.record (file_id);
comment on table {{ silver }}.record is
'Every distinct revision of every business key. Grain: feed, epoch, document, line, content hash. '
'The address is that of its first home: the earliest file by logical time and content that carries it; file_at is '
'that file''s own time. '
'is_withdrawn: it was accepted once and is set aside now, because a code that it needs changed or went away.';

create table if not exists {{ silver }}.quarantine (
    file_id bigint not null references {{ bronze }}.file,
    record_no bigint not null,
    line_no bigint not null,
    byte_start bigint not null,
    byte_end bigint not null,
    raw bytea not null,
    reason text not null,
    sentence text not null,
    wants_set text,
    wants_key text,
    contract_hash text not null,
    known_from bigint not null,
    known_to bigint,
    primary key (file_id, record_no, known_from)
);
create index if not exists quarantine_open on {{ silver }}.quarantine (wants_set, wants_key) where known_to is null;
comment on table {{ silver }}.quarantine is
'Records set aside, with bytes, reason and what would release them. known_to is set when one was judged again.';

create table if not exists {{ silver }}.file_reference (
    file_id bigint not null references {{ bronze }}.file,
    set_name text not null,
    key text not null,
    primary key (set_name, key, file_id)
);
comment on table {{ silver }}.file_reference is
'Which codes each file looked up, and to which masters its records in quarantine led (facts remember the others): '
'when a master changes, these files are judged again.';

create table if not exists {{ silver }}.fact_reference (
    record_id bigint not null,
    fact_no smallint not null,
    known_from bigint not null,
    known_to bigint,
    set_name text not null,
    key text not null,
    attributes jsonb not null
);
create index if not exists fact_reference_key on {{ silver }}.fact_reference (set_name, key);
create index if not exists fact_reference_record on {{ silver }}.fact_reference (record_id);
comment on table {{ silver }}.fact_reference is 'What other feeds may look codes up in. Grain: set, key and revision.';
