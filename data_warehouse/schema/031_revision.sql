-- What revisions of a key are put in order by. A full extract says nearly everything once more: that is noted in narrow
-- rows beside the records, since another version of a record is another entry in each of its indexes.

-- Half of each page stays empty for the next telling: rows change in place, and no index is written to.
create table if not exists {{ silver }}.told_again (
    record_id bigint primary key,
    last_file_at timestamptz not null
) with (fillfactor = 50);
comment on table {{ silver }}.told_again is
'When a record was told last, by the file''s own time. Grain: record that a later file than its home carries too.';

do $$
begin
    -- Warehouses of before had that time in the record itself.
    if exists (
        select 1 from pg_catalog.pg_attribute
        where attrelid = '{{ silver }}.record'::regclass and attname = 'last_file_at' and not attisdropped
    ) then
        alter table {{ silver }}.record rename column last_file_at to file_at;
        insert into {{ silver }}.told_again (record_id, last_file_at)
        select r.record_id, r.file_at
        from {{ silver }}.record as r
        inner join {{ bronze }}.file as f on r.file_id = f.file_id
        where r.file_at > coalesce(f.logical_time, '-infinity');
        update {{ silver }}.record as r
        set file_at = f.logical_time
        from {{ bronze }}.file as f
        where r.file_id = f.file_id and r.file_at is distinct from f.logical_time;
    end if;
end
$$;

create or replace view {{ silver }}.revision as
select
    r.record_id,
    r.feed_id,
    r.epoch,
    r.document,
    r.line,
    r.content_hash,
    r.revision_no,
    r.updated_at,
    r.is_void,
    r.is_current,
    r.is_conflict,
    r.is_withdrawn,
    r.file_id,
    r.record_no,
    r.line_no,
    r.byte_start,
    r.byte_end,
    r.known_from,
    coalesce(t.last_file_at, r.file_at) as last_file_at
from {{ silver }}.record as r
left join {{ silver }}.told_again as t on r.record_id = t.record_id;
comment on view {{ silver }}.revision is
'Every revision with when it was told last: last_file_at is the greatest own time of the files that carry it. '
'Grain: record.';
