-- sale_line: typed till lines, each business key once.
-- Grain: one row per store, register, ticket and line.   Reads: raw.till_line.   Used by: movement, sales_daily.
-- Again:  a key that is known is replaced.
{{ config(
    materialized='incremental', incremental_strategy='merge',
    unique_key=['location_id', 'register_id', 'ticket_no', 'line_no'],
    indexes=[{'columns': ['ticket_no', 'line_no', 'location_id', 'register_id'], 'unique': true}],
    post_hook="{% if not is_incremental() %} analyze {{ this }} {% endif %}"
) }}

with

till_line as (
    select distinct on (ticket_no, line_no, store_id, register_id) *
    from {{ source('raw', 'till_line') }}
    order by ticket_no asc, line_no asc, store_id asc, register_id asc, sold_at desc
),

sale_line as (
    select
        location.location_id,
        cast(till_line.register_id as integer) as register_id,
        till_line.ticket_no,
        cast(till_line.line_no as integer) as line_no,
        product.product_id,
        till_line.currency,
        cast(till_line.sold_at as timestamptz) as sold_at,
        cast(till_line.qty as numeric) as quantity,
        cast(till_line.unit_price as numeric) as unit_price,
        cast(till_line.qty as numeric) * cast(till_line.unit_price as numeric)
        - cast(till_line.discount as numeric) as net_amount
    from till_line
    inner join {{ ref('location') }} as location on till_line.store_id = location.location_code
    inner join {{ ref('product') }} as product on upper(till_line.sku) = product.product_code
)

select * from sale_line
