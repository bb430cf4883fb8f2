-- Law 10: sealed snapshots do not change. Each is linked to the one of its kind before it; a load asks the latest links
-- and some older ones, others with each load, an audit all of them (docs/decisions/025-laws-about-the-past.md).
-- That the rows are the sealed ones is asked by `systock verify` alone (gold.altered_snapshots).
create or replace function {{ ops }}.law_10_snapshots(at_known bigint, is_whole boolean)
returns table (subject text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    few constant integer := 50;
    last_id constant bigint := (select max(s.snapshot_id) from {{ gold }}.snapshot as s);
begin
    if is_whole then
        return query select 'snapshot ' || b.snapshot_id || ': ' || b.problem from {{ gold }}.broken_snapshots() as b;
        return;
    end if;
    return query
    select 'snapshot ' || h.snapshot_id || ': its link to the snapshot before it does not hold'
    from (
        (select s.* from {{ gold }}.snapshot as s order by s.snapshot_id desc limit few)
        union
        (
            select s.* from {{ gold }}.snapshot as s
            where s.snapshot_id >= abs(hashint8(at_known)::bigint) % last_id
            order by s.snapshot_id
            limit few
        )
    ) as h
    left join lateral (
        select p.chain_hash
        from {{ gold }}.snapshot as p
        where p.snapshot_id < h.snapshot_id and p.kind = h.kind
        order by p.snapshot_id desc
        limit 1
    ) as before on true
    where
        h.previous_hash <> coalesce(before.chain_hash, '')
        or h.chain_hash <> {{ gold }}.chain_hash(h.kind, h.business_date, h.version, h.content_hash, h.previous_hash);
end
$$;
comment on function {{ ops }}.law_10_snapshots(bigint, boolean) is 'Snapshots whose link does not hold.';
