-- count_variance: what gold.count_variance() answers where a shadow feed tells otherwise of a product at a place.
-- Grain: one row per current authoritative count of a record.
-- On Snowflake gold reads this as the table count_variance of the gold schema.
with

shadow as (
    select
        p.product_code,
        o.location_code
    from {{ ref('drift_leftover') }} as l
    inner join {{ source('silver', 'product_key') }} as p on l.product_id = p.product_id
    inner join {{ source('silver', 'location_key') }} as o on l.location_id = o.location_id
    where l.is_shadow
),

count_variance as (
    {{ variance_of_counts('shadow') }}
)

select
    product_code,
    location_code,
    state,
    bin_code,
    lot_code,
    event_time,
    variance
from count_variance
