{# Stock of which something is true, and the levels that are wanted of it. #}
{% macro stock_and_levels(condition) %}
    select
        s.product_code,
        s.location_code,
        s.on_hand,
        s.sellable,
        coalesce(p.is_stocked, true) and not coalesce(p.is_discontinued, false) as is_wanted,
        coalesce(h.safety_stock, e.safety_stock, p.safety_stock) as safety_stock,
        coalesce(h.reorder_point, e.reorder_point, p.reorder_point) as reorder_point
    from {{ ref('stock_on_hand') }} as s
    left join {{ ref('product') }} as p on s.product_code = p.product_code
    left join {{ ref('stock_policy') }} as h
        on s.product_code = h.product_code and s.location_code = h.location_code and h.channel_code is null
    left join {{ ref('stock_policy') }} as e
        on s.product_code = e.product_code and e.location_code is null and e.channel_code is null
    where {{ condition }}
{%- endmacro %}
