-- bronze: what was received, byte for byte.
create table if not exists {{ bronze }}.file (
    file_id bigint generated always as identity primary key,
    feed_id integer not null references {{ ops }}.feed,
    sha256 text not null,
    name text not null,
    size_bytes bigint not null,
    named_time timestamptz,
    logical_time timestamptz,
    status text not null check (status in ('loaded', 'set_aside')),
    reason text,
    sentence text,
    records bigint not null default 0,
    non_data bigint not null default 0,
    content_bytes bigint not null default 0,
    contract_hash text not null,
    known bigint not null
);
do $$
begin
    -- Warehouses of before knew the same bytes as one file, whatever day their name tells.
    if not exists (
        select 1 from pg_catalog.pg_attribute
        where attrelid = '{{ bronze }}.file'::regclass and attname = 'named_time' and not attisdropped
    ) then
        alter table {{ bronze }}.file add column named_time timestamptz;
        update {{ bronze }}.file set named_time = logical_time;
        alter table {{ bronze }}.file drop constraint if exists file_feed_id_sha256_key;
    end if;
end
$$;
alter table {{ bronze }}.file add column if not exists columns text[];
comment on column {{ bronze }}.file.columns is
'The columns that the file names itself, by the names of the contract; null where a format or contract names them.';
create unique index if not exists file_content on {{ bronze }}.file (feed_id, sha256, named_time) nulls not distinct;
comment on table {{ bronze }}.file is
'The manifest. Grain: feed, content hash and the time in the name: the same bytes again are one row, but the same '
'bytes for another day say something else. logical_time is the time in the name or, by contract, the greatest of a '
'column.';

create table if not exists {{ bronze }}.file_name (
    file_id bigint not null references {{ bronze }}.file,
    name text not null,
    known bigint not null,
    primary key (file_id, name)
);
alter table {{ bronze }}.file_name add column if not exists logical_time timestamptz;
comment on table {{ bronze }}.file_name is
'Every name under which the same bytes arrived, with the time that the name tells: an empty day looks like any other.';

create table if not exists {{ bronze }}.file_non_data (
    file_id bigint not null references {{ bronze }}.file,
    kind text not null,
    records bigint not null,
    primary key (file_id, kind)
);
comment on table {{ bronze }}.file_non_data is 'Headers, blanks, trailers and excluded records of a file, by kind.';

create table if not exists {{ bronze }}.block (
    file_id bigint not null references {{ bronze }}.file,
    block_no integer not null,
    byte_start bigint not null,
    byte_end bigint not null,
    first_record_no bigint not null,
    first_line_no bigint not null,
    record_starts integer[] not null,
    line_nos integer[],
    content bytea not null,
    primary key (file_id, block_no)
);
comment on table {{ bronze }}.block is
'The unpacked bytes of a file in pieces, with where each record starts (relative). Blocks tile the file. '
'line_nos is null where every record is one line.';

do $$
begin
    execute 'alter table {{ bronze }}.block alter column content set compression lz4';
exception when feature_not_supported or invalid_parameter_value then
    execute 'alter table {{ bronze }}.block alter column content set storage external';
end
$$;

create or replace function {{ bronze }}.records(wanted_file_id bigint)
returns table (record_no bigint, line_no bigint, byte_start bigint, byte_end bigint, content bytea)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- The end of a record is the start of the next: taken from the unnested list, since looking into the array
    -- once a record would unpack it as often.
    select
        b.first_record_no + r.n - 1,
        coalesce(r.line_no, b.first_line_no + r.n - 1),
        b.byte_start + r.start_at,
        b.byte_start + coalesce(r.end_at, octet_length(b.content)),
        substring(b.content from r.start_at + 1 for coalesce(r.end_at, octet_length(b.content)) - r.start_at)
    from {{ bronze }}.block as b
    cross join lateral (
        select u.n, u.start_at, u.line_no, lead(u.start_at) over (order by u.n) as end_at
        from unnest(b.record_starts, b.line_nos) with ordinality as u (start_at, line_no, n)
    ) as r
    where b.file_id = wanted_file_id
$$;
comment on function {{ bronze }}.records(bigint) is 'Every record of a file: number, line, byte range, bytes.';

create or replace function {{ bronze }}.record_text(wanted_file_id bigint, wanted_start bigint, wanted_end bigint)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select convert_from(
        substring(
            b.content
            from (wanted_start - b.byte_start + 1)::integer
            for (wanted_end - wanted_start)::integer
        ),
        'UTF8'
    )
    from {{ bronze }}.block as b
    where b.file_id = wanted_file_id and wanted_start >= b.byte_start and wanted_start < b.byte_end
$$;
comment on function {{ bronze }}.record_text(bigint, bigint, bigint) is 'The text of one record by its address.';
