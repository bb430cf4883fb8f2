-- Effective-dated codes: which product a code means, and how many base units a unit is, from when on. The first version
-- holds before its own start too, as in the dimensions: nothing is refused for being older than its master.

create or replace function {{ silver }}.as_microseconds(instant timestamptz)
returns bigint
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when instant is null or instant = '-infinity' then -9223372036854775807
        when instant = 'infinity' then 9223372036854775807
        else cast(extract(epoch from instant) * 1000000 as bigint)
    end
$$;
comment on function {{ silver }}.as_microseconds(timestamptz) is
'Microseconds since 1970, as the transforms count them; null is before everything.';

create or replace view {{ silver }}.alias_version as
select
    v.alias_code,
    v.product_code,
    v.effective_from
from (
    select
        f.alias_code,
        f.product_code,
        f.effective_from,
        row_number() over (
            partition by f.alias_code, f.effective_from
            order by
                r.revision_no desc nulls last, r.updated_at desc nulls last, r.last_file_at desc nulls last,
                r.content_hash desc, f.fact_no asc
        ) as place
    from {{ silver }}.fact_alias as f
    inner join {{ silver }}.revision as r on f.record_id = r.record_id
    where f.known_to is null
) as v
where v.place = 1;
comment on view {{ silver }}.alias_version is
'What each other code means, from when on. Grain: alias code and effective_from (null: always).';

create or replace view {{ silver }}.unit_conversion_version as
select
    v.product_code,
    v.unit_code,
    v.numerator,
    v.denominator,
    v.effective_from
from (
    select
        f.product_code,
        f.unit_code,
        f.numerator,
        f.denominator,
        f.effective_from,
        row_number() over (
            partition by coalesce(f.product_code, ''), f.unit_code, f.effective_from
            order by
                r.revision_no desc nulls last, r.updated_at desc nulls last, r.last_file_at desc nulls last,
                r.content_hash desc, f.fact_no asc
        ) as place
    from {{ silver }}.fact_unit_conversion as f
    inner join {{ silver }}.revision as r on f.record_id = r.record_id
    where f.known_to is null
) as v
where v.place = 1;
comment on view {{ silver }}.unit_conversion_version is
'How many base units a unit is, from when on. Grain: product (null: all), unit and effective_from (null: always).';

create index if not exists fact_alias_product on {{ silver }}.fact_alias (product_code);
create index if not exists fact_unit_conversion_product on {{ silver }}.fact_unit_conversion (product_code);
