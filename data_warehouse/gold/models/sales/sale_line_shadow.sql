-- sale_line_shadow: the same sales as told by feeds that do not count; kept to be compared, never added.
-- Grain: one row per sale of a record.
-- Reads: silver.fact_sale, record_source.   Used by: people who look for source drift.
with

sale as (
    select * from {{ source('silver', 'fact_sale') }}
    where known_to is null and role = 'shadow'
),

record as (
    select * from {{ ref('record_source') }}
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

sale_line_shadow as (
    select
        r.feed,
        r.document,
        r.line,
        p.product_code,
        l.location_code,
        s.channel_code,
        s.event_time as sold_at,
        s.business_date,
        s.kind,
        {{ plain('s.quantity') }} as quantity,
        {{ plain('s.unit_price') }} as unit_price,
        {{ plain('s.net_amount') }} as net_amount,
        s.currency,
        s.customer_code,
        s.charge_code,
        s.role,
        r.file_name,
        r.line_no,
        s.known_from as known
    from sale as s
    inner join record as r on s.record_id = r.record_id
    inner join location as l on s.location_id = l.location_id
    left join product as p on s.product_id = p.product_id
)

select * from sale_line_shadow
