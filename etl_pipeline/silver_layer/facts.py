"""The facts of one rule of a contract: columns made, judged, converted and completed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.facts import FACT_KINDS, Column, FactKind
from etl_pipeline.contracts.model import AuthorityRule, Value, Yield
from etl_pipeline.silver_layer.authority import roles
from etl_pipeline.silver_layer.codes import Known, check_codes, check_pieces, convert, resolve_products, unit_factors
from etl_pipeline.silver_layer.numbers import DECIMAL, mask, parse_numbers
from etl_pipeline.silver_layer.times import INSTANT, Instants, business_dates
from etl_pipeline.silver_layer.values import (
    Bench,
    as_value,
    check_column,
    code_of,
    flag_of,
    instants_of,
    number_of,
    text_of,
)

ARROW_TYPES = {
    "code": pa.string(), "text": pa.string(), "quantity": DECIMAL, "money": DECIMAL, "number": DECIMAL,
    "instant": INSTANT, "date": pa.date32(), "flag": pa.bool_(), "integer": pa.int64(),
}  # fmt: skip
FIRST = ("location_code", "product_code")
NUMERIC = ("quantity", "money", "number", "integer")
FIRST_CREDIBLE = datetime(1980, 1, 7, tzinfo=UTC)
"""Clocks that lost their setting begin at 1900, 1904 or 1970, or with the first week of GPS in 1980."""


@dataclass(frozen=True)
class Setting:
    """What holds for every fact of a file.

    Attributes:
        rules: authority rules that apply.
        currency: currency of money columns where the record names none.
        logical_time: the file's own time of each row (timestamp[us, UTC]), null where not known before reading.
        let_in: mask of the rows whose quantity a person has let in.
    """

    rules: list[AuthorityRule]
    currency: str
    logical_time: pa.Array
    let_in: np.ndarray

    def narrowed(self, index: np.ndarray) -> "Setting":
        """Return the setting of some of the rows."""
        return replace(self, logical_time=self.logical_time.take(pa.array(index)), let_in=self.let_in[index])


def _zones(bench: Bench, value: Value, made: dict[str, pa.Array]) -> pa.Array | str:
    zone = value.zone or bench.contract.reading.zone or bench.retailer_zone
    if zone != "location":
        return zone
    if "location_code" not in made:
        return bench.retailer_zone
    found, _ = bench.lookups.find("location", "zone", made["location_code"])
    return pc.fill_null(found, bench.retailer_zone)


def _instant(bench: Bench, value: Value, label: str, made: dict[str, pa.Array]) -> Instants:
    formats = value.formats or bench.contract.reading.formats
    if value.from_ == "$file.logical_time" or "const" in value.model_fields_set:
        formats = ["iso", *formats]
    text = text_of(bench, value, label)
    read = instants_of(bench, text, formats, _zones(bench, value, made), label)
    bench.judge.object_to(
        read.in_gap,
        "local_time_gap",
        lambda bad: [
            f"{label}: {text[int(i)].as_py()} does not exist there, clocks were set forward over it; ask the sender "
            "which zone it means."
            for i in bad
        ],
    )
    return read


def _check_times(bench: Bench, setting: Setting, times: pa.Array) -> None:
    """Object to times that no clock can have shown when the file was made, going by the file's own time."""
    bench.judge.object_to(
        mask(pc.less(times, pa.scalar(FIRST_CREDIBLE, INSTANT))),
        "past_time",
        lambda bad: [
            f"event_time {times[int(i)].as_py():%Y-%m-%d %H:%M} UTC is what a clock says that was never set; ask the "
            "sender for the time."
            for i in bad
        ],
    )
    if setting.logical_time.null_count == len(setting.logical_time):
        return
    limit = pc.add(setting.logical_time, timedelta(hours=bench.contract.reading.future_tolerance_hours))
    bench.judge.object_to(
        mask(pc.greater(times, limit)),
        "future_time",
        lambda bad: [
            f"event_time {times[int(i)].as_py():%Y-%m-%d %H:%M} UTC lies after the file's own time "
            f"{setting.logical_time[int(i)].as_py():%Y-%m-%d %H:%M}; ask the sender."
            for i in bad
        ],
    )
    days = bench.contract.reading.past_tolerance_days
    if days is None:
        return
    bench.judge.object_to(
        mask(pc.less(times, pc.subtract(setting.logical_time, timedelta(days=days)))),
        "past_time",
        lambda bad: [
            f"event_time {times[int(i)].as_py():%Y-%m-%d %H:%M} UTC lies more than {days} days before the file's own "
            f"time {setting.logical_time[int(i)].as_py():%Y-%m-%d %H:%M}: was a clock reset? Ask the sender."
            for i in bad
        ],
    )


def _mapped_column(bench: Bench, setting: Setting, rule: Yield, column: Column, made: dict[str, pa.Array]) -> pa.Array:
    """Make one column that the contract maps or that has a default."""
    mapped = rule.columns.get(column.name)
    if mapped is None:
        return _default(bench, column, bench.columns.rows)
    value, label = as_value(mapped), f"{rule.fact}.{column.name}"
    # Times may be those of the zone of their place.
    place = rule.columns.get("location_code") if column.type == "instant" else None
    out, ambiguous = bench.once(
        (column, value.model_dump_json(), as_value(place).model_dump_json() if place else None),
        lambda: _read_column(bench, setting, column, value, label, made=made),
    )
    if ambiguous is not None:
        made["is_time_ambiguous"] = ambiguous
    return out


def _read_column(
    bench: Bench, setting: Setting, column: Column, value: Value, label: str, *, made: dict[str, pa.Array]
) -> tuple[pa.Array, pa.Array | None]:
    """Return a column's values, and of event times which of them a clock shows twice."""
    rows = bench.columns.rows
    ambiguous = None
    if column.type == "instant":
        read = _instant(bench, value, label, made)
        if column.name == "event_time":
            ambiguous = pa.array(read.ambiguous)
            _check_times(bench, setting, read.values)
        out = read.values
    elif column.type in NUMERIC:
        out = number_of(bench, value, label)
        if column.type == "integer":
            out = pc.cast(pc.round(out), pa.int64())
    elif column.type == "flag":
        out = flag_of(bench, value, label)
    else:
        out = code_of(bench, value, label) if column.type == "code" else text_of(bench, value, label)
    if column.default is not None:
        out = pc.coalesce(out, _default(bench, column, rows)[0]) if rows else out
    check_column(bench, column, out, label)
    return out, ambiguous


def _default(bench: Bench, column: Column, rows: int) -> pa.Array:
    kind = ARROW_TYPES[column.type]
    if column.default is None:
        return pa.nulls(rows, kind)
    if column.type == "flag":
        return pa.repeat(pa.scalar(column.default == "true"), rows)
    if column.type in NUMERIC:
        return pa.repeat(pc.cast(parse_numbers(pa.array([column.default])).values, kind)[0], rows)
    return pa.repeat(pa.scalar(column.default, kind), rows)


def _times(made: dict[str, pa.Array]) -> pa.Array | None:
    """Return the time of each fact, by which codes and units mean what they meant then."""
    return made.get("event_time", made.get("effective_from"))


def _resolve_codes(bench: Bench, kind: FactKind, known: Known, made: dict[str, pa.Array]) -> None:
    """Resolve products and places of a fact and check that the masters know them."""
    if "location_code" in made and kind.name != "location":
        _check_once(bench, kind, known, "location", made["location_code"])
    if "product_code" in made and kind.name != "product":
        if kind.name != "alias":  # an alias of an alias would mean another product after each order of arrival
            codes, times = made["product_code"], _times(made)
            asked = ("resolved", id(codes), id(times), id(known.own.get("product")))
            kept = bench.once(
                asked, lambda: (resolve_products(bench, known, codes, times), codes, times, known.own.get("product"))
            )
            made["product_code"] = kept[0]
        _check_once(bench, kind, known, "product", made["product_code"])


def _check_once(bench: Bench, kind: FactKind, known: Known, name: str, codes: pa.Array) -> None:
    """Check codes of a fact, unless another rule had the very same checked."""

    def check() -> tuple[object, ...]:
        check_codes(bench, known, name, codes, f"{kind.name}.{name}_code")
        return codes, known.own.get(name)  # kept, so that nothing else is given their identity

    bench.once(("checked", name, id(codes), id(known.own.get(name))), check)


def _check_ratio(bench: Bench, kind: FactKind, made: dict[str, pa.Array]) -> None:
    """Object to conversions that are no ratio: nothing can be divided by 0."""
    for name in ("numerator", "denominator"):
        bench.judge.object_to(
            mask(pc.less_equal(made[name], pa.scalar(0, DECIMAL))),
            "wrong_sign",
            lambda bad, n=name: [f"{kind.name}.{n} must be more than 0; ask the sender for the ratio." for _ in bad],  # type: ignore[misc]
        )


def _convert_quantities(bench: Bench, setting: Setting, kind: FactKind, made: dict[str, pa.Array]) -> None:
    """Turn quantities into base units and check them against the contract's bounds."""
    if kind.name == "unit_conversion":
        _check_ratio(bench, kind, made)
    if "unit_code" not in kind.by_name or kind.name == "unit_conversion":
        return
    if "source_quantity" in kind.by_name:
        made["source_quantity"] = made["quantity"]
    factors = unit_factors(bench, made["product_code"], made["unit_code"], _times(made))
    for column in kind.columns:
        if column.type == "quantity" and column.name != "source_quantity":
            made[column.name] = convert(bench, made[column.name], factors, f"{kind.name}.{column.name}")
    if "event_time" in kind.by_name:
        check_pieces(bench, made["product_code"], made.get("quantity"), f"{kind.name}.quantity")
    most = bench.contract.reading.plausible.most
    if most is not None and "quantity" in made:
        over = mask(pc.greater(pc.abs(made["quantity"]), pc.cast(pa.scalar(str(most)), DECIMAL)))
        bench.judge.object_to(
            over & ~setting.let_in,
            "implausible_quantity",
            lambda bad: [
                f"quantity {made['quantity'][int(i)].as_py().normalize():f} is over the contract's bound of {most}; "
                "have it resent if it is wrong. If it is right, let it in (systock quarantine accept) or raise "
                "`plausible.most`."
                for i in bad
            ],
        )


def _complete(bench: Bench, setting: Setting, kind: FactKind, made: dict[str, pa.Array]) -> None:
    """Fill what the warehouse computes: role, business date, currency."""
    rows = bench.columns.rows
    if "currency" in kind.by_name:
        made["currency"] = pc.coalesce(made["currency"], pa.scalar(setting.currency))
    if kind.name == "sale":
        lost = pc.and_(pc.not_equal(made["kind"], "charge"), pc.is_null(made["product_code"]))
        bench.judge.object_to(
            mask(lost),
            "missing_value",
            lambda bad: (
                ["sale.product_code is empty: only a charge has no product; map its kind or product."] * len(bad)
            ),
        )
    if "role" in kind.by_name:
        place = made.get("location_code", pa.nulls(rows, pa.string()))
        location_kind, _ = bench.lookups.find("location", "location_kind", place)
        subject = made.get("movement_class", pa.repeat(pa.scalar(kind.name), rows))
        made["role"] = pc.coalesce(made["role"], roles(bench.contract, setting.rules, subject, location_kind))
    if "business_date" in kind.by_name:
        zone, _ = bench.lookups.find("location", "zone", made["location_code"])
        zone = pc.fill_null(zone, bench.retailer_zone)
        close, _ = bench.lookups.find("location", "day_close_minutes", made["location_code"])
        made["business_date"] = business_dates(made["event_time"], zone, pc.cast(close, pa.int64()))


def make_facts(bench: Bench, setting: Setting, known: Known, rule: Yield) -> dict[str, pa.Array]:
    """Return the columns of the facts that one rule yields, one row a record of the bench."""
    kind = FACT_KINDS[rule.fact]
    made: dict[str, pa.Array] = {}
    ordered = sorted((c for c in kind.columns if c.given), key=lambda c: c.name not in FIRST)
    for column in ordered:
        made[column.name] = _mapped_column(bench, setting, rule, column, made)
    _resolve_codes(bench, kind, known, made)
    _convert_quantities(bench, setting, kind, made)
    _complete(bench, setting, kind, made)
    if "is_time_ambiguous" in kind.by_name:
        made.setdefault("is_time_ambiguous", pa.array(np.zeros(bench.columns.rows, dtype=bool)))
    return {column.name: made[column.name] for column in kind.columns}
