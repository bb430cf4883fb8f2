"""What `systock explain` asks the warehouse: which product and place are meant, and every fact told about them."""

import difflib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from etl_pipeline.core.errors import StopRunError, UsageError
from pipeline_manager.publishing import rows
from pipeline_manager.warehouse import OpenWarehouse

FOREVER = "infinity"
_LATEST = "select coalesce(max(known), 0) as known from {{ ops }}.batch"
_LOADED = "select known, started_at from {{ ops }}.batch where known = %s"
_MEANT = """
    select k.product_code as code, 'itself' as how
    from {{ silver }}.product_key as k
    inner join {{ silver }}.dim_product as d on k.product_code = d.product_code and d.valid_to = 'infinity'
    where k.product_code = %(asked)s
    union all
    select a.product_code, 'another code' from {{ silver }}.alias as a where a.alias_code = %(asked)s
    union all
    select d.product_code, 'the GTIN'
    from {{ silver }}.dim_product as d where d.valid_to = 'infinity' and d.gtin = %(asked)s
    union all
    select k.product_code, 'itself' from {{ silver }}.product_key as k where k.product_code = %(asked)s
"""
_CODES = """
    select product_code as code from {{ silver }}.product_key
    union select alias_code from {{ silver }}.alias
"""
_PLACES = "select location_code as code from {{ silver }}.location_key"
_MEMBERS = """
    select distinct m.product_code as code
    from {{ silver }}.product_merge_at(%(known)s) as g
    inner join {{ silver }}.product_key as m on g.member_id = m.product_id
    inner join {{ silver }}.product_key as s on g.survivor_id = s.product_id
    where s.product_code = %(code)s and g.valid_from <= %(at)s and g.valid_to > %(at)s
    order by 1
"""
_SURVIVORS = """
    select s.product_code as code
    from {{ silver }}.product_merge_at(%(known)s) as g
    inner join {{ silver }}.product_key as m on g.member_id = m.product_id
    inner join {{ silver }}.product_key as s on g.survivor_id = s.product_id
    where m.product_code = %(code)s and g.valid_from <= %(at)s and g.valid_to > %(at)s
    order by g.steps desc limit 1
"""
_EXPLANATION = "select * from {{ gold }}.stock_explanation(%s, %s, %s, %s)"
_AS_OF = """
    select state, bin_code, lot_code, quantity, is_anchored from {{ gold }}.stock_as_of(%s, %s, %s, %s)
    order by 1, 2, 3
"""
_BYTES = "select {{ bronze }}.record_bytes(%s, %s, %s) as content"
_FILES_ASIDE = "select count(*) as files from {{ bronze }}.file where status = 'set_aside'"


@dataclass
class Part:
    """One product code at the place: its stock by state, bin and lot, and every fact about it."""

    product_code: str
    stock: list[dict[str, Any]]
    facts: list[dict[str, Any]]

    @property
    def total(self) -> Decimal:
        """Sum over states, bins and lots, as stock_as_of says."""
        return sum((row["quantity"] for row in self.stock), Decimal(0))

    @property
    def counted(self) -> list[dict[str, Any]]:
        """The facts that make the stock, in their order."""
        return [fact for fact in self.facts if fact["is_counted"]]

    def not_counted(self, reason: str) -> list[dict[str, Any]]:
        """The facts that were left out for a reason."""
        return [fact for fact in self.facts if fact["reason"] == reason]


@dataclass
class Explanation:
    """A stock figure taken apart.

    Attributes:
        asked: the product as it was asked for.
        how: what the asked code is: itself, another code, the GTIN.
        product_code: the product that it means.
        location_code: the place.
        at: the instant; text `infinity` for all that is known.
        known: the load.
        survivor: the code that the product is merged into, if it is.
        parts: the product, then the codes merged into it.
        files_aside: files set aside whole: nothing of them can be in the list.
    """

    asked: str
    how: str
    product_code: str
    location_code: str
    at: datetime | str
    known: int
    survivor: str | None = None
    parts: list[Part] = field(default_factory=list)
    files_aside: int = 0

    @property
    def total(self) -> Decimal:
        """Stock of the product and of the codes merged into it."""
        return sum((part.total for part in self.parts), Decimal(0))


def read_instant(text: str | None) -> datetime | str:
    """Return the instant of --at.

    Raises:
        UsageError: it is no instant, or it lacks its zone.
    """
    if text is None:
        return FOREVER
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(f"--at '{text[:40]}' is not an instant with a zone. Write it like 2025-03-10T12:00:00+00:00.")
    return found.astimezone(UTC)


def explain(
    opened: OpenWarehouse,
    product: str,
    location: str,
    at: datetime | str,
    known: int | None,
    *,
    with_bytes: bool = False,
) -> Explanation:
    """Take the stock of a product at a place apart.

    Args:
        opened: the warehouse.
        product: code, alias or GTIN.
        location: code of the place.
        at: the instant, or `infinity`.
        known: load whose knowledge is asked for; the latest if None.
        with_bytes: fetch each fact's record as it was received, into `content`.

    Raises:
        UsageError: a code is unknown, or the load is.
        StopRunError: the facts listed do not add up to the stock.
    """
    connection, schemas = opened.warehouse.connection, opened.warehouse.schemas

    def ask(query: str, arguments: Any = None) -> list[dict[str, Any]]:
        return rows(connection, schemas, query, arguments)

    latest = int(ask(_LATEST)[0]["known"])
    if known is not None and not 0 <= known <= latest:
        raise UsageError(f"--known {known} is not a load of this warehouse: the latest is {latest}.")
    load = latest if known is None else known
    meant = ask(_MEANT, {"asked": product})
    if not meant:
        raise UsageError(_unknown("product", product, [r["code"] for r in ask(_CODES)]))
    places = [r["code"] for r in ask(_PLACES)]
    if location not in places:
        raise UsageError(_unknown("location", location, places))
    code = str(meant[0]["code"])
    found = Explanation(product, str(meant[0]["how"]), code, location, at, load)
    merge = {"known": load, "code": code, "at": "9999-01-01Z" if at == FOREVER else at}
    found.survivor = next((str(r["code"]) for r in ask(_SURVIVORS, merge)), None)
    for one in (code, *(str(r["code"]) for r in ask(_MEMBERS, merge))):
        part = Part(one, ask(_AS_OF, (at, load, one, location)), ask(_EXPLANATION, (at, load, one, location)))
        _refuse_wrong_sum(part, location)
        if with_bytes:
            for fact in part.facts:
                fact["content"] = _content(ask(_BYTES, (fact["file_id"], fact["byte_start"], fact["byte_end"])))
        found.parts.append(part)
    found.files_aside = int(ask(_FILES_ASIDE)[0]["files"])
    return found


def _content(found: list[dict[str, Any]]) -> str:
    content = found[0]["content"] if found else None
    return "" if content is None else bytes(content).decode("utf-8", errors="backslashreplace").rstrip("\r\n")


def _refuse_wrong_sum(part: Part, location: str) -> None:
    """Raise StopRunError unless the counted facts add up to what stock_as_of says."""
    told = sum((fact["quantity"] for fact in part.counted), Decimal(0))
    if told != part.total:
        raise StopRunError(
            f"The facts of {part.product_code} at {location} add up to {told}, and its stock is {part.total}. "
            "Run `systock audit` and report it."
        )


def _unknown(what: str, code: str, codes: list[str]) -> str:
    """Return the sentence about an unknown code, with the nearest ones."""
    folded = {known.casefold(): known for known in sorted(codes, reverse=True)}
    near = [folded[name] for name in difflib.get_close_matches(code.casefold(), sorted(folded), n=3, cutoff=0.5)]
    ends = [known for known in sorted(codes) if code and code.casefold() in known.casefold() and known not in near]
    near = [*near, *ends][:3]
    hint = f" Did you mean {' or '.join(near)}?" if near else " Nothing in the warehouse looks like it."
    return f"Unknown {what} '{code[:60]}'.{hint}"
