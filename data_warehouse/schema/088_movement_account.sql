-- Double entry: the other side of each movement, and of what each count found. A merged code's goods that are counted
-- under its survivor leave one code by shrink and stand under the other, so the shrink of both is what was found.
-- Used by: law 6, people who ask where something went.

create or replace view {{ silver }}.movement_account as
select
    a.movement_class,
    a.counter_account,
    a.between_places
from (
    values
    ('sale', 'customer', 'customer'),
    ('return', 'customer', 'customer'),
    ('shipment', 'customer', 'transit'),
    ('receipt', 'supplier', 'transit'),
    ('transfer_out', 'transit', 'transit'),
    ('transfer_in', 'transit', 'transit'),
    ('adjustment', 'adjustment', 'adjustment'),
    ('count_difference', 'shrink', 'shrink'),
    ('write_off', 'write_off', 'write_off'),
    ('state_change', 'state_change', 'state_change'),
    ('opening', 'opening', 'opening')
) as a (movement_class, counter_account, between_places);
comment on view {{ silver }}.movement_account is
'The other side of each movement class; between_places is it where the movement names another place of ours.';
