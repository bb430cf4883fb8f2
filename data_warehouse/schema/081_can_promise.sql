-- can_promise: may this much be promised there for that day? now, later (and when), or no.
-- It reads gold.atp, so it can never say otherwise than the view. plpgsql keeps the plan: asked again, it is quick.
create or replace function {{ gold }}.can_promise(product text, location text, quantity numeric, day date default null)
returns table (answer text, promise_day date, atp numeric, as_of_day date, sentence text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    today date;
    wanted date;
    on_day numeric;
    first_day date;
begin
    if can_promise.quantity is null or can_promise.quantity <= 0 then
        raise exception 'The quantity to promise must be greater than zero, not %.', can_promise.quantity
            using errcode = 'invalid_parameter_value';
    end if;
    -- Days without a row are as the row before them; a day that has passed is as today. Read once: it is what it costs.
    select
        min(a.day),
        coalesce(
            (array_agg(a.atp order by a.day desc) filter (where a.day <= can_promise.day))[1],
            (array_agg(a.atp order by a.day))[1]
        ),
        min(a.day) filter (where a.atp >= can_promise.quantity)
    into today, on_day, first_day
    from {{ gold }}.atp as a
    where a.product_code = can_promise.product and a.location_code = can_promise.location;

    if today is null then
        return query select 'no', cast(null as date), cast(0 as numeric), cast(null as date),
            'Nothing is known of ' || can_promise.product || ' at ' || can_promise.location || '.';
        return;
    end if;
    wanted := greatest(today, coalesce(can_promise.day, today));
    if first_day <= wanted then
        return query select 'now', wanted, on_day, today,
            'Up to ' || on_day || ' can be promised for ' || wanted || '.';
    elsif first_day is not null then
        return query select 'later', first_day, on_day, today,
            'Only ' || on_day || ' can be promised for ' || wanted || '; all of it from ' || first_day || ' on.';
    else
        return query select 'no', cast(null as date), on_day, today,
            'Only ' || on_day || ' can be promised for ' || wanted || ', and no more within 180 days.';
    end if;
end
$$;
comment on function {{ gold }}.can_promise(text, text, numeric, date) is
'Whether a quantity can be promised for a day (null: now): now, later with the first day, or no.';

-- atp_by_rule: dated promises of one product and place by another published rule, to compare with or to keep to.
--   look_ahead   gold.atp: the least of what is projected from the day on.
--   period       what the period brings and does not need; what is missing is taken from earlier periods, the latest
--                first, and forgotten where they have nothing (period ATP with backward consumption).
--   accumulate   the sum of that up to the day (Oracle's "accumulate available" with backward demand consumption).
-- A shortage that is forgotten is promised once more: accumulate can promise more than there will ever be.
create or replace function {{ gold }}.atp_by_rule(product text, location text, rule text default 'look_ahead')
returns table (day date, supply numeric, demand numeric, atp numeric)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    days date[];
    supplies numeric[];
    demands numeric[];
    net numeric[];
    missing numeric;
    taken numeric;
    total numeric := 0;
begin
    if atp_by_rule.rule not in ('look_ahead', 'period', 'accumulate') then
        raise exception 'There is no rule %; take look_ahead, period or accumulate.', quote_literal(atp_by_rule.rule)
            using errcode = 'invalid_parameter_value';
    end if;
    if atp_by_rule.rule = 'look_ahead' then
        return query
        select a.day, a.supply, a.demand, a.atp from {{ gold }}.atp as a
        where a.product_code = atp_by_rule.product and a.location_code = atp_by_rule.location
        order by a.day;
        return;
    end if;
    select
        array_agg(a.day order by a.day),
        array_agg(a.supply order by a.day),
        array_agg(a.demand order by a.day),
        -- What is there today is the supply of the first period.
        array_agg(a.projected - a.before order by a.day)
    into days, supplies, demands, net
    from (
        select
            p.*,
            coalesce(lag(p.projected) over (order by p.day), p.kept_back) as before
        from {{ gold }}.atp as p
        where p.product_code = atp_by_rule.product and p.location_code = atp_by_rule.location
    ) as a;
    for i in 1 .. coalesce(cardinality(net), 0) loop
        missing := greatest(0, -net[i]);
        net[i] := greatest(0, net[i]);
        for j in reverse i - 1 .. 1 loop
            exit when missing = 0;
            taken := least(missing, net[j]);
            net[j] := net[j] - taken;
            missing := missing - taken;
        end loop;
    end loop;
    for i in 1 .. coalesce(cardinality(net), 0) loop
        total := total + net[i];
        return query
        select days[i], supplies[i], demands[i], case when atp_by_rule.rule = 'period' then net[i] else total end;
    end loop;
end
$$;
comment on function {{ gold }}.atp_by_rule(text, text, text) is
'Dated promises by a named rule: look_ahead (gold.atp), period, or accumulate.';
