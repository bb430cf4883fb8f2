-- Copies of records: silver.record keeps the first home of a record alone. When it is taken back, because a code
-- changed its meaning, its copies are found wanting too: the files that hold one are judged again. What counts does not
-- hang on it; what is said of each file does.

-- Grain: two files of one feed that may hold a record in common; each pair stands in both directions.
create table if not exists {{ silver }}.file_copy (
    file_id bigint not null,
    other_file_id bigint not null,
    primary key (file_id, other_file_id)
);
comment on table {{ silver }}.file_copy is
'Files that hold records in common: which to judge again when a record of one of them is taken back.';

-- note_copies(): which files of the batch repeat records of each other or of earlier ones.
-- Reads: pg_temp.arrived, silver.record.   Writes: silver.file_copy.
create or replace function {{ silver }}.note_copies()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select 1 from pg_temp.arrived as a where a.file_ids is not null or a.old_file_id is not null
    ) then
        return;
    end if;

    delete from pg_temp.copied;
    insert into pg_temp.copied (one, other)
    select distinct u.one, u.other
    from (
        select c.file_id as one, a.file_id as other
        from pg_temp.arrived as a
        cross join lateral unnest(a.file_ids) as c (file_id)
        where a.file_ids is not null
        union all
        select a.old_file_id as one, a.file_id as other
        from pg_temp.arrived as a
        where a.old_file_id is not null
    ) as u
    where u.one <> u.other;

    -- What had copies of a record that found an earlier home has copies of that home's.
    insert into pg_temp.copied (one, other)
    select distinct c.other_file_id, m.file_id
    from (
        select distinct a.old_file_id, a.file_id
        from pg_temp.arrived as a
        inner join {{ silver }}.record as r on a.old_record_id = r.record_id
        where a.old_file_id <> a.file_id and r.file_id = a.file_id
    ) as m
    inner join {{ silver }}.file_copy as c on m.old_file_id = c.file_id
    where c.other_file_id <> m.file_id;

    insert into {{ silver }}.file_copy (file_id, other_file_id)
    select u.one, u.other from pg_temp.copied as u
    union
    select u.other, u.one from pg_temp.copied as u
    on conflict do nothing;
end
$$;
comment on function {{ silver }}.note_copies() is 'Note which files hold records in common.';

-- judge_copies_again(k): the other files that may hold a record that this load takes back.
-- Reads: pg_temp.withdrawn.   Writes: ops.to_judge_again.
create or replace function {{ silver }}.judge_copies_again(at_known bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into {{ ops }}.to_judge_again (file_id, known)
    select distinct c.other_file_id, at_known
    from pg_temp.withdrawn as w
    inner join {{ silver }}.record as r on w.record_id = r.record_id
    inner join {{ silver }}.file_copy as c on r.file_id = c.file_id
    on conflict (file_id) do update set known = excluded.known;
end
$$;
comment on function {{ silver }}.judge_copies_again(bigint) is
'Have files judged again that may hold a record which a load took back.';
