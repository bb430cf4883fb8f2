-- stock_policy: how much to keep, where, as it holds at the latest instant known.
-- Grain: one row per product and location; location_code is null where a policy holds everywhere.
-- Reads: silver.fact_stock_policy, latest_instant.   Used by: stock_risk, planners.
with

policy as (
    select * from {{ source('silver', 'fact_stock_policy') }}
    where known_to is null
),

record as (
    select
        record_id,
        revision_no,
        updated_at,
        last_file_at,
        content_hash
    from {{ source('silver', 'record') }}
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

ranked as (
    select
        s.*,
        row_number() over (
            partition by s.product_id, s.location_id
            order by
                s.effective_from desc nulls last,
                r.revision_no desc nulls last,
                r.updated_at desc nulls last,
                r.last_file_at desc nulls last,
                r.content_hash desc,
                s.fact_no asc
        ) as place
    from policy as s
    inner join record as r on s.record_id = r.record_id
    cross join latest as n
    where s.effective_from is null or s.effective_from <= n.as_of
),

stock_policy as (
    select
        p.product_code,
        l.location_code,
        {{ plain('s.safety_stock') }} as safety_stock,
        {{ plain('s.reorder_point') }} as reorder_point,
        {{ plain('s.channel_buffer') }} as channel_buffer,
        {{ plain('s.service_level') }} as service_level,
        s.effective_from,
        s.known_from as known
    from ranked as s
    inner join product as p on s.product_id = p.product_id
    left join location as l on s.location_id = l.location_id
    where s.place = 1
)

select * from stock_policy
