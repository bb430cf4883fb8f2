-- stock_policy: how much to keep, where, as it holds at the latest instant known.
-- Grain: one row per product, location and channel; location_code is null where a policy holds everywhere,
-- channel_code where it holds for the place as a whole.
-- Reads: silver.fact_stock_policy, silver.revision, latest_instant.   Used by: stock_risk, promises, planners.
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
    from {{ source('silver', 'revision') }}
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

-- Ranked by codes, not numbers: a reader who asks for one product reads only its policies.
ranked as (
    select
        s.*,
        p.product_code,
        l.location_code,
        row_number() over (
            partition by p.product_code, l.location_code, s.channel_code
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
    inner join product as p on s.product_id = p.product_id
    left join location as l on s.location_id = l.location_id
    cross join latest as n
    where s.effective_from is null or s.effective_from <= n.as_of
),

stock_policy as (
    select
        product_code,
        location_code,
        channel_code,
        {{ plain('safety_stock') }} as safety_stock,
        {{ plain('reorder_point') }} as reorder_point,
        {{ plain('channel_buffer') }} as channel_buffer,
        {{ plain('allocated_quantity') }} as allocated_quantity,
        coalesce(may_use_pool, true) as may_use_pool,
        {{ plain('service_level') }} as service_level,
        effective_from,
        known_from as known
    from ranked
    where place = 1
)

select * from stock_policy
