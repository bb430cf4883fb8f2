"""Reads what codes mean, for the transforms: masters and lookup sets, whole where small, else by key."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from psycopg2 import extensions

from etl_pipeline.contracts.values import References
from etl_pipeline.core.names import Schemas

FEW_KEYS, FEW_TIMES = 500, 20
"""So few keys are looked up one by one, but only so often: then the set is read whole, if it may be."""
WHOLE_LIMIT = 300_000
"""Sets of up to this many keys are read whole, so that a chunk with a new code does not ask again."""

_PRODUCT = """
    select product_code, base_unit, cast(is_created as text) from {{ silver }}.dim_product
    where valid_to = 'infinity' and (cast(%(keys)s as text[]) is null or product_code = any(cast(%(keys)s as text[])))
"""
_LOCATION = """
    select location_code, zone, location_kind, cast(day_close_minutes as text) from {{ silver }}.dim_location
    where valid_to = 'infinity' and (cast(%(keys)s as text[]) is null or location_code = any(cast(%(keys)s as text[])))
"""
_ALIAS = """
    select a.alias_code, a.product_code, {{ silver }}.as_microseconds(a.effective_from) as valid_from
    from {{ silver }}.alias_version as a
    where cast(%(keys)s as text[]) is null or a.alias_code = any(cast(%(keys)s as text[]))
    union all
    select p.gtin, min(p.product_code), {{ silver }}.as_microseconds(null) from {{ silver }}.dim_product as p
    where
        p.valid_to = 'infinity' and p.gtin is not null
        and (cast(%(keys)s as text[]) is null or p.gtin = any(cast(%(keys)s as text[])))
        and not exists (select 1 from {{ silver }}.alias as a where a.alias_code = p.gtin)
    group by p.gtin
    having count(*) = 1
    order by 1, 3 desc
"""
_UNIT = """
    select coalesce(product_code, '') || '|' || unit_code, cast(numerator as text), cast(denominator as text),
        {{ silver }}.as_microseconds(effective_from)
    from {{ silver }}.unit_conversion_version
    order by 1, 4 desc
"""
_SET = """
    select key, attributes
    from (
        select
            f.key, f.attributes,
            row_number() over (
                partition by f.key
                order by r.revision_no desc nulls last, r.updated_at desc nulls last,
                    r.last_file_at desc nulls last, r.content_hash desc, f.fact_no
            ) as place
        from {{ silver }}.fact_reference as f
        inner join {{ silver }}.revision as r on f.record_id = r.record_id
        where f.set_name = %(set)s and f.known_to is null
            and (cast(%(keys)s as text[]) is null or f.key = any(cast(%(keys)s as text[])))
    ) as c
    where place = 1
"""
_SIZES = {
    "product": "select count(*) from {{ silver }}.product_key",
    "alias": "select count(*) from {{ silver }}.product_key",
}
BUILT_IN = {
    "product": (_PRODUCT, ["base_unit", "is_created"]),
    "location": (_LOCATION, ["zone", "location_kind", "day_close_minutes"]),
    "alias": (_ALIAS, ["product_code", "valid_from"]),
    "unit": (_UNIT, ["numerator", "denominator", "valid_from"]),
}


def _read(cursor: extensions.cursor, schemas: Schemas, name: str, keys: list[str] | None) -> pd.DataFrame:
    if name in BUILT_IN:
        statement, attributes = BUILT_IN[name]
        cursor.execute(schemas.render(statement), {"keys": keys})
        rows = cursor.fetchall()
        return pd.DataFrame([r[1:] for r in rows], index=[r[0] for r in rows], columns=attributes, dtype="object")
    cursor.execute(schemas.render(_SET), {"set": name, "keys": keys})
    found: list[tuple[str, dict[str, Any]]] = cursor.fetchall()
    return pd.DataFrame.from_records([attributes for _, attributes in found], index=[key for key, _ in found])


def _size(cursor: extensions.cursor, schemas: Schemas, name: str) -> int:
    if name in ("location", "unit"):
        return 0
    default = "select count(*) from {{ silver }}.fact_reference where set_name = %(set)s"
    cursor.execute(schemas.render(_SIZES.get(name, default)), {"set": name})
    row = cursor.fetchone()
    return int(row[0]) if row else 0


class ReferenceReader:
    """References as the warehouse has them now; what was read once is not read again until `forget`.

    Attributes:
        references: what was read.
        generation: how often it was forgotten.
    """

    def __init__(self, schemas: Schemas, units: Mapping[str, tuple[str, str]]) -> None:
        """Start empty; `units` are the retailer's general units: code -> (numerator, denominator)."""
        self._schemas = schemas
        self._units = units
        self.generation = 0
        self.forget()

    def forget(self) -> None:
        """Read everything anew: the masters may have changed."""
        self.generation += 1
        self.references = References()
        self._whole: set[str] = set()
        self._asked: dict[str, set[str]] = {}
        self._times: dict[str, int] = {}

    def has_whole(self, name: str) -> bool:
        """Tell whether a set was read whole: what is not in it does not exist."""
        return name in self._whole

    def complete(self, cursor_of: Callable[[], extensions.cursor], wanted: Mapping[str, Iterable[str]]) -> bool:
        """Read the wanted keys that were never asked for; return whether any of them is there.

        What is not there changes nothing for whoever asked. The cursor is asked for only when something is read: it
        may have to wait for what is on its way.
        """
        was_found = False
        for name, keys in wanted.items():
            missing = set() if name in self._whole else set(keys) - self._asked.get(name, set())
            if not missing:
                continue
            cursor = cursor_of()
            self._times[name] = self._times.get(name, 0) + 1
            is_few = len(missing) <= FEW_KEYS and self._times[name] <= FEW_TIMES and name != "unit"
            if not is_few and _size(cursor, self._schemas, name) <= WHOLE_LIMIT:
                frame = _read(cursor, self._schemas, name, None)
                self._whole.add(name)
                if name == "unit":
                    frame = self._with_general_units(frame)
                self.references.sets[name] = frame
                was_found |= bool(frame.index.isin(list(missing)).any())
                continue
            frame = _read(cursor, self._schemas, name, sorted(missing))
            before = self.references.sets.get(name)
            self.references.sets[name] = frame if before is None else pd.concat([before, frame])
            self._asked.setdefault(name, set()).update(missing)
            was_found |= bool(len(frame))
        return was_found

    def _with_general_units(self, frame: pd.DataFrame) -> pd.DataFrame:
        general = {f"|{unit}": ratio for unit, ratio in self._units.items() if f"|{unit}" not in frame.index}
        if not general:
            return frame
        more = pd.DataFrame(list(general.values()), index=list(general), columns=["numerator", "denominator"])
        return pd.concat([frame, more])
