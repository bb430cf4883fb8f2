{# The partition within which lines of two feeds may be of the same goods. #}
{% macro drift_key(alias) -%}
    {{ alias }}.shadow_feed_id, {{ alias }}.product_id, {{ alias }}.location_id, {{ alias }}.movement_class
{%- endmacro %}

{# The standing movements of a role, with the feed that tells them and the business day of their place. #}
{% macro drift_movement(role) -%}
{%- set own_zone = "(select z.value from " ~ source('ops', 'setting') ~ " as z where z.name = 'zone')" %}
{%- set zone = "coalesce(d.zone, " ~ own_zone ~ ", 'UTC')" %}
    select
        m.role,
        m.product_id,
        m.location_id,
        m.movement_class,
        m.quantity,
        m.event_time,
        m.order_document,
        m.order_line,
        m.source_quantity,
        m.state,
        m.bin_code,
        m.lot_code,
        m.record_id,
        r.feed_id,
        r.document,
        r.line,
        cast(
            {{ local(minutes_before('m.event_time', 'coalesce(d.day_close_minutes, 0)'), zone) }} as date
        ) as business_date
    from {{ source('silver', 'fact_movement') }} as m
    inner join {{ source('silver', 'record') }} as r on m.record_id = r.record_id
    inner join {{ source('silver', 'location_key') }} as l on m.location_id = l.location_id
    left join {{ source('silver', 'dim_location') }} as d
        on
            l.location_code = d.location_code
            and m.event_time >= d.valid_from
            and m.event_time < d.valid_to
    where m.known_to is null and m.role = '{{ role }}'
{%- endmacro %}
