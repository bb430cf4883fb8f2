-- movement: what left the store with each sale line.
-- Grain: one row per sale line.   Reads: sale_line, raw.till_line.   Used by: stock_on_hand.
-- Again:  the movements of the latest file's lines are replaced.
-- depends_on: {{ ref('location') }}
{{ config(
    materialized='incremental', incremental_strategy='merge',
    unique_key=['location_id', 'register_id', 'ticket_no', 'line_no'],
    indexes=[
        {'columns': ['ticket_no', 'line_no', 'location_id', 'register_id'], 'unique': true},
        {'columns': ['product_id', 'location_id']},
    ],
    post_hook="{% if not is_incremental() %} analyze {{ this }} {% endif %}"
) }}

with

{% if is_incremental() %}
latest as (
    select distinct
        location.location_id,
        cast(till_line.register_id as integer) as register_id,
        till_line.ticket_no,
        cast(till_line.line_no as integer) as line_no
    from {{ source('raw', 'till_line') }} as till_line
    inner join {{ ref('location') }} as location on till_line.store_id = location.location_code
),

{% endif %}
movement as (
    select
        sale_line.location_id,
        sale_line.register_id,
        sale_line.ticket_no,
        sale_line.line_no,
        sale_line.product_id,
        sale_line.sold_at as event_time,
        -sale_line.quantity as quantity
    from {{ ref('sale_line') }} as sale_line
    {% if is_incremental() %}
    inner join latest using (ticket_no, line_no, location_id, register_id)  -- noqa: ST07
    {% endif %}
)

select * from movement
