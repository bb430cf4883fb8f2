-- silver.product_family: which codes' stock and orders count as a product's own now: its own and those merged into it.
-- A view of its own and written as two halves, so that who asks for one product reads one product. Where nothing was
-- ever merged, which is told by a look at merge_link, nobody follows merges: it would be most of such a question.
create or replace view {{ silver }}.product_family as
with

latest as (
    select coalesce(
        (
            select max(f.logical_time) from {{ bronze }}.file as f
            where f.status = 'loaded'
        ),
        (select m.event_time from {{ silver }}.latest_movement as m),
        cast('-infinity' as timestamptz)
    ) as as_of
),

survivor as (
    select distinct on (m.member_id)
        m.member_id,
        s.product_code as survivor_code
    from latest as n
    cross join lateral {{ silver }}.product_merge_at(9223372036854775807) as m
    inner join {{ silver }}.product_key as s on m.survivor_id = s.product_id
    where
        m.valid_from <= n.as_of
        and m.valid_to > n.as_of
        and exists (select 1 from {{ silver }}.merge_link)
    order by m.member_id asc, m.steps desc, s.product_code asc
)

select
    v.survivor_code as product_code,
    v.member_id as product_id,
    true as is_merged,
    true as is_of_several
from survivor as v
union all
select
    k.product_code,
    k.product_id,
    false as is_merged,
    k.product_code in (select v.survivor_code from survivor as v) as is_of_several
from {{ silver }}.product_key as k
where k.product_id not in (select v.member_id from survivor as v);
comment on view {{ silver }}.product_family is
'Which product numbers count as which product now. Grain: product number; product_code is that of '
'the survivor; is_merged: the number is of a code that is merged into it; is_of_several: other numbers count as the '
'same product.';
