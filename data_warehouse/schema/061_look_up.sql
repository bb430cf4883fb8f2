-- What load/known.py asks of the keys of a chunk, once its feed has history: which are known, and which of the records
-- only say once more what is known already. Most of a full extract does; what place_staged() would do about such a
-- record is done here, for all of a chunk at once.

drop function if exists {{ silver }}.known_keys(integer, text, text, text);

-- look_up(feed, epochs, documents, lines, hashes, files, times, ends, of_masters): positions of records, from 1.
--   again: told again. A later file than its home repeats a revision that stands and is current without a conflict, so
--      nothing but the time of its last telling changes, and that its file holds a copy of it. Both are noted here.
--   known: another revision of the key is known, or this one and something has to be decided; again goes before it.
-- epochs to hashes: each list is one text, its elements ended by the separator U+001F, so that a hundred thousand keys
-- travel as four values. ends: the records up to these positions are of the files at the same places of `files`, whose
-- own times are `times`. of_masters: whether the versions of dimensions may hang on when something was told last.
-- Each key is looked up: what it costs follows the keys that are asked for, not those that are there.
-- Reads: silver.record, bronze.file.   Writes: silver.told_again, silver.file_copy, pg_temp.repeated.
create or replace function {{ silver }}.look_up(
    of_feed integer, epochs text, documents text, lines text, hashes text,
    files bigint[], times timestamptz[], ends bigint[], of_masters boolean,
    out again bigint[], out known bigint[]
)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set enable_memoize = off
set jit = off
as $$
begin
    with

    asked as (
        select u.*, 1 + width_bucket(u.n - 1, ends) as p
        from unnest(
            string_to_array(epochs, e'\x1f'), string_to_array(documents, e'\x1f'), string_to_array(lines, e'\x1f'),
            cast(string_to_array(hashes, e'\x1f', '') as uuid[])
        ) with ordinality as u (epoch, document, line, content_hash, n)
        where u.content_hash is not null
    ),

    found as materialized (
        select
            a.n,
            r.record_id,
            r.file_id as home_id,
            r.file_at,
            t.ctid as noted_at,
            t.last_file_at,
            files[a.p] as file_id,
            times[a.p] as told_at,
            r.content_hash = a.content_hash
            and r.is_current
            and not r.is_conflict
            and case
                when times[a.p] is distinct from r.file_at
                    then coalesce(times[a.p], '-infinity') > coalesce(r.file_at, '-infinity')
                else
                    (select f.sha256 from {{ bronze }}.file as f where f.file_id = files[a.p])
                    > (select h.sha256 from {{ bronze }}.file as h where h.file_id = r.file_id)
            end as is_again
        from asked as a
        inner join {{ silver }}.record as r
            on a.document = r.document and a.line = r.line and a.epoch = r.epoch and r.feed_id = of_feed
        left join {{ silver }}.told_again as t on r.record_id = t.record_id
    ),

    told_later as (
        update {{ silver }}.told_again as t
        set last_file_at = f.told_at
        from found as f
        where t.ctid = f.noted_at and f.is_again and f.told_at > f.last_file_at
    ),

    told_twice as (
        insert into {{ silver }}.told_again (record_id, last_file_at)
        select f.record_id, f.told_at
        from found as f
        where f.is_again and f.noted_at is null and f.told_at is distinct from f.file_at
        order by f.record_id
    ),

    repeated as (
        insert into pg_temp.repeated (record_id)
        select f.record_id from found as f where of_masters and f.is_again
    ),

    pair as (
        select distinct f.home_id, f.file_id from found as f where f.is_again
    ),

    copies as (
        insert into {{ silver }}.file_copy (file_id, other_file_id)
        select p.home_id, p.file_id from pair as p
        union
        select p.file_id, p.home_id from pair as p
        on conflict do nothing
    )

    select array_agg(f.n) filter (where f.is_again), array_agg(f.n) filter (where not f.is_again)
    into again, known
    from found as f;
end
$$;
comment on function {{ silver }}.look_up(
    integer, text, text, text, text, bigint[], timestamptz[], bigint[], boolean
) is 'Which records of a chunk are told again, and of which others the key is known; notes the tellings.';
