-- A gate of volume that looks at what is usual holds a file by a decision: what was usual then is not known any more
-- when everything is rebuilt, and the same files must be held again.
do $$
begin
    if not exists (
        select 1 from pg_catalog.pg_constraint as c
        where
            c.conrelid = '{{ ops }}.decision'::regclass and c.conname = 'decision_verdict_check'
            and pg_catalog.pg_get_constraintdef(c.oid) like '%hold%'
    ) then
        alter table {{ ops }}.decision drop constraint if exists decision_verdict_check;
        alter table {{ ops }}.decision add constraint decision_verdict_check
        check (verdict in ('accept', 'dismiss', 'hold'));
    end if;
end
$$;
