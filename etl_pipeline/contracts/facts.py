"""What a silver table is: every fact kind, its columns, their type, unit and meaning.

The one home of this knowledge. The warehouse's tables, the staging tables, the
contract checker, the JSON Schema and the reference page are rendered from it.
"""

from dataclasses import dataclass, field
from typing import Literal

ColumnType = Literal["code", "text", "quantity", "money", "number", "instant", "date", "flag", "integer"]

SQL_TYPES: dict[ColumnType, str] = {
    "code": "text",
    "text": "text",
    "quantity": "numeric",
    "money": "numeric",
    "number": "numeric",
    "instant": "timestamptz",
    "date": "date",
    "flag": "boolean",
    "integer": "integer",
}


@dataclass(frozen=True)
class Column:
    """One column of a fact.

    Attributes:
        name: its name everywhere.
        type: decides how text is read and which SQL type holds it.
        meaning: one sentence; becomes the database comment.
        required: a record without it is set aside.
        default: used where the contract maps nothing (a constant text).
        choices: the only values allowed.
        given: False for columns the warehouse computes; a contract cannot map them.
    """

    name: str
    type: ColumnType
    meaning: str
    required: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()
    given: bool = True


@dataclass(frozen=True)
class FactKind:
    """One kind of fact: its columns, and whether it is master data."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    is_master: bool = False
    by_name: dict[str, Column] = field(init=False, default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Index the columns by name."""
        self.by_name.update({column.name: column for column in self.columns})

    @property
    def table(self) -> str:
        """Name of its table in silver."""
        return f"fact_{self.name}"


KEYED = {"product_code": ("product_id", "integer"), "location_code": ("location_id", "integer")}
"""Codes that facts hold as the durable number of silver.product_key and silver.location_key."""


def silver_column(kind: FactKind, column: Column) -> tuple[str, str]:
    """Return name and SQL type that a column of a fact has in silver."""
    if column.name in KEYED and not kind.is_master:
        return KEYED[column.name]
    return column.name, SQL_TYPES[column.type]


def silver_columns(kind: FactKind) -> list[tuple[str, str]]:
    """Return name and SQL type of the columns that a fact has in silver, its address apart."""
    return [silver_column(kind, column) for column in kind.columns]


STATES = ("sellable", "quality_hold", "quarantine", "damaged")
MOVEMENT_CLASSES = (
    "sale", "return", "shipment", "receipt", "transfer_out", "transfer_in", "adjustment",
    "count_difference", "write_off", "state_change", "opening",
)  # fmt: skip
SALE_KINDS = ("sale", "return", "charge")
DEMAND_EVENTS = ("reserve", "cancel", "ship", "cart")
SUPPLY_EVENTS = ("order", "notice", "receipt", "cancel", "close")
LOCATION_KINDS = ("store", "warehouse", "shop", "virtual")
ROLES = ("authority", "shadow")

_PRODUCT = Column("product_code", "code", "Code of the product (SKU) in the product master.", required=True)
_LOCATION = Column("location_code", "code", "Code of the store, warehouse or shop.", required=True)
_EVENT_TIME = Column("event_time", "instant", "When it happened: a UTC instant.", required=True)
_QUANTITY = Column("quantity", "quantity", "Quantity in base units of the product.", required=True)
_UNIT = Column("unit_code", "code", "Unit the source counted in; empty means base units.")
_SOURCE_QUANTITY = Column("source_quantity", "quantity", "Quantity as the source wrote it, in unit_code.", given=False)
_CURRENCY = Column("currency", "code", "ISO 4217 code of the money columns.")
_ROLE = Column("role", "code", "authority: counted; shadow: kept, compared, never added.", choices=ROLES)
_EFFECTIVE = Column("effective_from", "instant", "From when it holds; empty means always.")
_STOCK_KEY = (
    _PRODUCT,
    _LOCATION,
    Column("state", "code", "State of the stock.", default="sellable", choices=STATES),
    Column("bin_code", "code", "Bin or shelf inside the location; empty where the source has none.", default=""),
    Column("lot_code", "code", "Lot or batch; empty where the source has none.", default=""),
)

FACT_KINDS: dict[str, FactKind] = {
    kind.name: kind
    for kind in (
        FactKind(
            "movement",
            "A signed change of physical stock at one place.",
            (
                *_STOCK_KEY,
                _EVENT_TIME,
                _QUANTITY,
                _UNIT,
                _SOURCE_QUANTITY,
                Column("movement_class", "code", "What kind of movement.", required=True, choices=MOVEMENT_CLASSES),
                Column("counter_location_code", "code", "The other place of a transfer."),
                Column("order_document", "code", "Order, web order or transfer that it belongs to."),
                Column("order_line", "code", "Line of that order."),
                Column("unit_cost", "money", "Cost of one base unit, where the source tells."),
                _CURRENCY,
                _ROLE,
                Column("is_time_ambiguous", "flag", "The local time exists twice; the first was taken.", given=False),
            ),
        ),
        FactKind(
            "count",
            "An absolute observation of stock: a cycle count, a stock take, a snapshot.",
            (
                *_STOCK_KEY,
                _EVENT_TIME,
                _QUANTITY,
                _UNIT,
                _SOURCE_QUANTITY,
                Column("count_document", "code", "The count or snapshot that it is a line of."),
                Column(
                    "scope", "code", "How much the document covers.", default="item",
                    choices=("item", "zone", "location"),
                ),
                Column(
                    "absence", "code", "What a product missing from the document means.", default="unknown",
                    choices=("zero", "keep", "unknown"),
                ),
                Column("zone_code", "code", "The zone covered, where scope is zone."),
                _ROLE,
                Column("is_time_ambiguous", "flag", "The local time exists twice; the first was taken.", given=False),
            ),
        ),
        FactKind(
            "sale",
            "A commercial line: quantity and money. Positive is sold, negative is taken back.",
            (
                Column("product_code", "code", "Code of the product; empty for a charge.", required=False),
                _LOCATION,
                Column("channel_code", "code", "Where it was sold.", default="store"),
                _EVENT_TIME,
                Column("business_date", "date", "Store-local day of the sale, after the day-close offset.",
                       given=False),
                Column("kind", "code", "sale, return, or charge (postage, fees: no product).", default="sale",
                       choices=SALE_KINDS),
                _QUANTITY,
                _UNIT,
                _SOURCE_QUANTITY,
                Column("unit_price", "money", "Price of one source unit."),
                Column("net_amount", "money", "Money of the line, signed like the quantity.", required=True),
                _CURRENCY,
                Column("customer_code", "code", "The customer, where known."),
                Column("charge_code", "code", "The source's code of a charge."),
                Column("order_document", "code", "Order that the sale fulfils."),
                Column("order_line", "code", "Line of that order."),
                _ROLE,
                Column("is_time_ambiguous", "flag", "The local time exists twice; the first was taken.", given=False),
            ),
        ),
        FactKind(
            "demand",
            "An event of an order line: reserve, cancel, ship; a cart is a soft reservation.",
            (
                _PRODUCT,
                _LOCATION,
                Column("channel_code", "code", "Where it was ordered.", default="shop"),
                _EVENT_TIME,
                _QUANTITY,
                _UNIT,
                _SOURCE_QUANTITY,
                Column("event", "code", "What happened to the line.", required=True, choices=DEMAND_EVENTS),
                Column("order_document", "code", "The order.", required=True),
                Column("order_line", "code", "Line of the order.", default=""),
                Column("due_at", "instant", "When it should leave."),
                Column("expires_at", "instant", "When a reservation lapses."),
                Column("is_soft", "flag", "A cart: may lapse, not yet an order."),
                _ROLE,
            ),
        ),
        FactKind(
            "supply",
            "An event of a purchase order line: order, notice, receipt, cancel, close.",
            (
                _PRODUCT,
                _LOCATION,
                Column("supplier_code", "code", "The supplier."),
                _EVENT_TIME,
                _QUANTITY,
                _UNIT,
                _SOURCE_QUANTITY,
                Column("event", "code", "What happened to the line.", required=True, choices=SUPPLY_EVENTS),
                Column("order_document", "code", "The purchase order.", required=True),
                Column("order_line", "code", "Line of the purchase order.", default=""),
                Column("notice_document", "code", "The advance ship notice."),
                Column("due_at", "instant", "When it is expected."),
                Column("status", "code", "Status in the source's own words, mapped.", default="open",
                       choices=("draft", "open", "closed", "cancelled")),
                Column("unit_cost", "money", "Price of one source unit."),
                Column("net_amount", "money", "Money of the line."),
                Column("rejected_quantity", "quantity", "Refused at the door, of the received quantity."),
                _CURRENCY,
                _ROLE,
            ),
        ),
        FactKind(
            "offer",
            "What a supplier offers: own stock, price, lead time, minimum quantity.",
            (
                _PRODUCT,
                Column("supplier_code", "code", "The supplier.", required=True),
                _EVENT_TIME,
                Column("supplier_stock", "quantity", "What the supplier has, in base units."),
                _UNIT,
                Column("unit_cost", "money", "Price of one unit."),
                _CURRENCY,
                Column("lead_time_days", "number", "Days from order to receipt."),
                Column("minimum_quantity", "quantity", "Smallest order, in base units."),
                Column("pack_quantity", "quantity", "Orders are multiples of this, in base units."),
            ),
        ),
        FactKind(
            "product",
            "A product (SKU) as its master describes it.",
            (
                Column("product_code", "code", "The code.", required=True),
                Column("product_name", "text", "Its name."),
                Column("category_code", "code", "Its category."),
                Column("base_unit", "code", "The unit that stock is kept in.", default="EA"),
                Column("gtin", "code", "Its GTIN (EAN, UPC), all digits."),
                Column("is_stocked", "flag", "False for services and the like.", default="true"),
                Column("is_discontinued", "flag", "No longer bought.", default="false"),
                Column("standard_cost", "money", "Standard cost of one base unit."),
                Column("list_price", "money", "List price of one base unit."),
                _CURRENCY,
                Column("safety_stock", "quantity", "Configured safety stock, where the master has one for all places."),
                Column("reorder_point", "quantity", "Configured reorder point, likewise."),
                _EFFECTIVE,
            ),
            is_master=True,
        ),
        FactKind(
            "location",
            "A store, warehouse or shop.",
            (
                Column("location_code", "code", "The code.", required=True),
                Column("location_name", "text", "Its name."),
                Column("location_kind", "code", "What it is.", default="store", choices=LOCATION_KINDS),
                Column("zone", "code", "Its time zone (IANA name)."),
                _CURRENCY,
                Column("day_close_minutes", "integer", "Minutes after midnight at which its business day ends.",
                       default="0"),
                _EFFECTIVE,
            ),
            is_master=True,
        ),
        FactKind(
            "supplier",
            "A supplier.",
            (
                Column("supplier_code", "code", "The code.", required=True),
                Column("supplier_name", "text", "Its name."),
                _EFFECTIVE,
            ),
            is_master=True,
        ),
        FactKind(
            "channel",
            "A sales channel.",
            (
                Column("channel_code", "code", "The code.", required=True),
                Column("channel_name", "text", "Its name."),
                _EFFECTIVE,
            ),
            is_master=True,
        ),
        FactKind(
            "alias",
            "Another code of a product: an old code, a GTIN, a supplier's code.",
            (
                Column("alias_code", "code", "The other code.", required=True),
                Column("product_code", "code", "The product that it means.", required=True),
                _EFFECTIVE,
            ),
            is_master=True,
        ),
        FactKind(
            "unit_conversion",
            "How many base units one unit is: a ratio, exact.",
            (
                Column("product_code", "code", "The product; empty means every product."),
                Column("unit_code", "code", "The unit.", required=True),
                Column("numerator", "number", "Base units per denominator units.", required=True),
                Column("denominator", "number", "Units per numerator base units.", default="1"),
                _EFFECTIVE,
            ),
            is_master=True,
        ),
        FactKind(
            "price",
            "A price or cost of a product from a day on.",
            (
                _PRODUCT,
                Column("location_code", "code", "Only there; empty means everywhere."),
                Column("price_kind", "code", "What it is.", default="list", choices=("list", "cost")),
                Column("amount", "money", "Money per base unit.", required=True),
                _CURRENCY,
                _EFFECTIVE,
                Column("effective_to", "instant", "Until when it holds; empty means until the next."),
            ),
        ),
        FactKind(
            "stock_policy",
            "How much to keep, where.",
            (
                _PRODUCT,
                Column("location_code", "code", "Only there; empty means everywhere."),
                Column("safety_stock", "quantity", "Configured safety stock, in base units."),
                Column("reorder_point", "quantity", "Configured reorder point, in base units."),
                Column("channel_code", "code", "Only for this sales channel; empty means the whole place."),
                Column("channel_buffer", "quantity", "Kept back from promises instead of safety_stock, in base units."),
                Column("allocated_quantity", "quantity", "Set apart for the channel, in base units."),
                Column("may_use_pool", "flag", "Whether the channel may also sell what no channel has set apart.",
                       default="true"),
                Column("service_level", "number", "Wanted share of cycles without a stock-out, 0 to 1."),
                _EFFECTIVE,
            ),
        ),
    )
}  # fmt: skip
