-- Seals: what was received can be proved unchanged. `systock verify` computes them again and names what differs.
-- A block has a digest of its bytes and places, a file a digest of its blocks and a seal of its manifest row, and a
-- load a link to the load before it over the seals of its files: a row that is changed, added or missing shows.
-- Rows loaded before seals were kept have none; a rebuild (--full-refresh) gives them.
alter table {{ bronze }}.block add column if not exists digest bytea;
alter table {{ bronze }}.file add column if not exists blocks_digest text;
alter table {{ bronze }}.file add column if not exists bytes_known bigint;
alter table {{ bronze }}.file add column if not exists seal text;
alter table {{ ops }}.batch add column if not exists content_hash text;
alter table {{ ops }}.batch add column if not exists previous_hash text;
alter table {{ ops }}.batch add column if not exists chain_hash text;
comment on column {{ bronze }}.block.digest is 'SHA-256 of the bytes and of every place in them.';
comment on column {{ bronze }}.file.blocks_digest is 'SHA-256 of the digests of its blocks in order.';
comment on column {{ bronze }}.file.bytes_known is 'The load that kept its bytes; null while it is set aside whole.';
comment on column {{ bronze }}.file.seal is 'SHA-256 of what the manifest says of the file and must go on saying.';
comment on column {{ ops }}.batch.content_hash is 'SHA-256 of the seals of the files that the load entered or kept.';
comment on column {{ ops }}.batch.previous_hash is 'chain_hash of the load before it, or empty.';
comment on column {{ ops }}.batch.chain_hash is 'SHA-256 of number, run, content_hash and previous_hash.';

-- The same bytes in the same order as load/copying.py hashes them.
create or replace function {{ bronze }}.block_digest(
    block_no integer, byte_start bigint, byte_end bigint, first_record_no bigint, first_line_no bigint,
    record_starts integer[], line_nos integer[], content bytea
)
returns bytea
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select sha256(
        int4send(block_no) || int8send(byte_start) || int8send(byte_end) || int8send(first_record_no)
        || int8send(first_line_no) || array_send(record_starts)
        || case when line_nos is null then int4send(-1) else array_send(line_nos) end || content
    )
$$;
comment on function {{ bronze }}.block_digest(integer, bigint, bigint, bigint, bigint, integer[], integer[], bytea) is
'SHA-256 of a block: its bytes and every place in them.';

create or replace function {{ bronze }}.received_seal(
    feed text, sha256 text, name text, size_bytes bigint, known bigint
)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select encode(sha256(convert_to(cast(row(feed, sha256, name, size_bytes, known) as text), 'UTF8')), 'hex')
$$;
comment on function {{ bronze }}.received_seal(text, text, text, bigint, bigint) is
'SHA-256 of what the manifest says of a file once it was received.';

create or replace function {{ bronze }}.kept_seal(
    feed text, sha256 text, bytes_known bigint, records bigint, content_bytes bigint, blocks_digest text
)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select encode(sha256(convert_to(
        cast(row(feed, sha256, bytes_known, records, content_bytes, blocks_digest) as text), 'UTF8'
    )), 'hex')
$$;
comment on function {{ bronze }}.kept_seal(text, text, bigint, bigint, bigint, text) is
'SHA-256 of what the manifest says of a file once its bytes were kept.';

create or replace view {{ bronze }}.sealed_file as
select
    s.*,
    encode(sha256(convert_to(s.received || coalesce(s.kept, ''), 'UTF8')), 'hex') as expected_seal
from (
    select
        f.file_id, d.feed, f.sha256, f.name, f.size_bytes, f.status, f.known, f.bytes_known, f.records,
        f.content_bytes, f.blocks_digest, f.seal,
        {{ bronze }}.received_seal(d.feed, f.sha256, f.name, f.size_bytes, f.known) as received,
        case when f.bytes_known is not null then {{ bronze }}.kept_seal(
            d.feed, f.sha256, f.bytes_known, f.records, f.content_bytes, f.blocks_digest
        ) end as kept
    from {{ bronze }}.file as f
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
) as s;
comment on view {{ bronze }}.sealed_file is 'Every file with its seal, and the seal that its row would have now.';

create or replace function {{ ops }}.batch_content(at_known bigint)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select encode(sha256(convert_to(coalesce(string_agg(s.seal, ',' order by s.seal collate "C"), ''), 'UTF8')), 'hex')
    from (
        select f.received as seal from {{ bronze }}.sealed_file as f where f.known = at_known
        union all
        select f.kept from {{ bronze }}.sealed_file as f where f.bytes_known = at_known
    ) as s
$$;
comment on function {{ ops }}.batch_content(bigint) is 'SHA-256 over the files that a load entered or kept.';

create or replace function {{ ops }}.batch_chain(known bigint, run_id text, content_hash text, previous_hash text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select encode(sha256(convert_to(cast(row(known, run_id, content_hash, previous_hash) as text), 'UTF8')), 'hex')
$$;
comment on function {{ ops }}.batch_chain(bigint, text, text, text) is 'Link of a load to the one before it.';

-- seal_batch(k): the last step of a load, in its transaction.
create or replace function {{ ops }}.seal_batch(at_known bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    content text;
    previous text;
begin
    update {{ bronze }}.file as f
    set seal = s.expected_seal
    from {{ bronze }}.sealed_file as s
    where f.file_id = s.file_id and (s.known = at_known or s.bytes_known = at_known);
    content := {{ ops }}.batch_content(at_known);
    select b.chain_hash into previous
    from {{ ops }}.batch as b
    where b.known < at_known and b.chain_hash is not null
    order by b.known desc limit 1;
    update {{ ops }}.batch as b
    set
        content_hash = content,
        previous_hash = coalesce(previous, ''),
        chain_hash = {{ ops }}.batch_chain(b.known, b.run_id, content, coalesce(previous, ''))
    where b.known = at_known;
end
$$;
comment on function {{ ops }}.seal_batch(bigint) is 'Seal the files of a load and link it to the load before it.';

create index if not exists file_known on {{ bronze }}.file (known);
create index if not exists file_bytes_known on {{ bronze }}.file (bytes_known);
