-- Law 14: 0 <= available_to_sell <= max(0, sellable).
select
    product_code,
    location_code,
    channel_code,
    sellable,
    available_to_sell
from {{ ref('availability') }}
where available_to_sell < 0 or available_to_sell > {{ greatest_known() }}(0, sellable)
