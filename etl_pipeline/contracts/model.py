"""What a feed is: the contract, as pydantic models. The JSON Schema and the reference page come from here."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from etl_pipeline.contracts.facts import FACT_KINDS
from etl_pipeline.contracts.format import Files, Strict
from etl_pipeline.contracts.schedule import Schedule

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Scalar = str | int | float | bool | None


class Test(Strict):
    """What a column must be. Several keys: all must hold."""

    equals: Scalar = None
    in_: Annotated[list[Scalar] | None, Field(alias="in", description="One of these texts; null is empty.")] = None
    not_in: Annotated[list[Scalar] | None, Field(description="None of these texts.")] = None
    starts_with: str | None = None
    ends_with: str | None = None
    matches: Annotated[str | None, Field(description="Regular expression (RE2) that the whole text matches.")] = None
    is_null: Annotated[bool | None, Field(description="true: empty; false: not empty.")] = None
    less_than: Annotated[float | int | str | None, Field(description="As numbers.")] = None
    at_most: float | int | str | None = None
    greater_than: float | int | str | None = None
    at_least: float | int | str | None = None


Condition = Annotated[
    "dict[str, Scalar | list[Scalar] | Test] | AnyOf | AllOf",
    Field(
        description="{column: value, list of values, or a test}; every column must hold. "
        "`any_of: [...]`, `all_of: [...]` combine."
    ),
]


class AnyOf(Strict):
    """At least one of the conditions holds."""

    any_of: Annotated["list[Condition]", Field(min_length=1)]


class AllOf(Strict):
    """All of the conditions hold."""

    all_of: Annotated["list[Condition]", Field(min_length=1)]


class Value(Strict):
    """How one column of a fact is made from a record. Steps run in the order in which they are listed here."""

    const: Annotated[Scalar, Field(description="A constant.")] = None
    from_: Annotated[
        str | list[str] | None,
        Field(
            alias="from",
            description="A column, or the first non-empty one of several. Pseudo-columns: `$file.name`, "
            "`$file.logical_time`, `$record.no`, `$record.line`.",
        ),
    ] = None
    join: Annotated[list[str] | None, Field(description="Columns put together with `with`.")] = None
    with_: Annotated[str, Field(alias="with", description="What stands between joined columns.")] = "-"
    calc: Annotated[
        str | None,
        Field(description="Exact arithmetic on columns: names (in backticks if odd), numbers, + - * and brackets."),
    ] = None
    extract: Annotated[str | None, Field(description="Regular expression (RE2); its named or first group is kept.")] = (
        None
    )
    clean: Annotated[
        list[
            Literal["upper", "lower", "strip_leading_zeros", "strip_decimal_zero", "digits_only", "no_blanks", "gtin"]
        ],
        Field(
            description="Text repairs. Every value is trimmed and put into Unicode NFKC in any case. `gtin` puts lost "
            "leading zeros back, to 13 digits, where the check digit is right; use it on both sides of a lookup."
        ),
    ] = []
    pad: Annotated[int | None, Field(description="Fill with leading zeros up to this length.")] = None
    null_if: Annotated[list[str], Field(description="Texts that mean empty here.")] = []
    lookup: Annotated[
        str | list[str] | None,
        Field(description="`set.attribute` of another feed's `reference`; several: one after the other."),
    ] = None
    lookup_else: Annotated[
        str | None,
        Field(description="For codes that are not found: `$keep`, or a text. Without it the record is set aside."),
    ] = None
    map: Annotated[
        dict[str, str | None] | None,
        Field(description="Value map. A value that is not in it is set aside, unless `map_else` says otherwise."),
    ] = None
    map_else: Annotated[
        str | None, Field(description="For values outside the map: `$keep` keeps them, another text replaces them.")
    ] = None
    default: Annotated[str | None, Field(description="For an empty value.")] = None
    formats: Annotated[
        list[str] | None, Field(description="strptime formats of a time, tried in order; `epoch_s`, `epoch_ms`, `iso`.")
    ] = None
    zone: Annotated[
        str | None, Field(description="Zone of a local time: an IANA name, or `location` for the zone of the place.")
    ] = None
    times: Annotated[str | None, Field(description="Column whose number the value is multiplied by, exactly.")] = None
    over: Annotated[
        str | None,
        Field(
            description="Column whose number the value is divided by (price per 100, for one). A result that cannot be "
            "written with 9 decimals is set aside."
        ),
    ] = None
    negate: Annotated[bool, Field(description="Turn the sign of a number.")] = False
    absolute: Annotated[bool, Field(description="Take the sign off a number.")] = False
    sign: Annotated[
        Literal["positive", "negative", "not_negative", "any"],
        Field(description="What the number must be; otherwise the record is set aside."),
    ] = "any"

    @model_validator(mode="after")
    def _one_source(self) -> "Value":
        given = [n for n in ("from_", "join", "calc") if getattr(self, n) is not None]
        if "const" in self.model_fields_set:
            given.append("const")
        if len(given) != 1:
            raise ValueError("give exactly one of `const`, `from`, `join`, `calc`")
        return self


class Yield(Strict):
    """One fact that a record gives."""

    fact: Annotated[Literal[*FACT_KINDS, "reference"], Field(description="Kind of fact.")]  # type: ignore[valid-type]
    when: Annotated[Condition | None, Field(description="Only for records like this.")] = None
    set: Annotated[
        Name | None, Field(description="Name of the lookup set (fact `reference` only), unique in the retailer.")
    ] = None
    columns: Annotated[
        dict[str, str | Value],
        Field(
            description="Column of the fact: source column, or a value. For `reference`: `key` and the attributes "
            "that others may look up."
        ),
    ]

    @model_validator(mode="after")
    def _known_columns(self) -> "Yield":
        if self.fact == "reference":
            if not self.set:
                raise ValueError("a `reference` needs `set`, the name that lookups use")
            if "key" not in self.columns or not set(self.columns) - {"key"}:
                raise ValueError("a `reference` needs the column `key` and at least one attribute")
            return self
        kind = FACT_KINDS[self.fact]
        for name in self.columns:
            if name not in kind.by_name or not kind.by_name[name].given:
                names = ", ".join(c.name for c in kind.columns if c.given)
                raise ValueError(f"`{name}` is no column of {self.fact}; it has: {names}")
        for column in kind.columns:
            if column.required and column.given and column.name not in self.columns:
                raise ValueError(f"{self.fact} needs `{column.name}`: {column.meaning}")
        return self


class Key(Strict):
    """The business key: the source's own document and line."""

    document: Annotated[str | list[str], Field(description="Column(s) that name the document.")]
    line: Annotated[
        str | list[str] | None,
        Field(
            description="Column(s) that name the line in it. `$ordinal`: the source has none; equal records of a "
            "document are then told apart by their number."
        ),
    ] = None
    epoch: Annotated[
        str | list[str] | None,
        Field(description="Column(s) that tell re-used numbers apart: business date, till..."),
    ] = None


class Revision(Strict):
    """What decides which record of a key is current, in this order. Arrival order never does."""

    number: Annotated[str | None, Field(description="Column with the source's revision number.")] = None
    updated_at: Annotated[str | Value | None, Field(description="Column with the source's update time.")] = None


class Exclude(Strict):
    """Records that are no business of the warehouse: counted as non-data under this name."""

    when: Condition
    reason: Annotated[Name, Field(description="Short name, such as `test_transaction`.")]


class Fix(Strict):
    """A known fault of the source: data, with a guard that ends it once the sender repairs it."""

    where: Condition
    only_while: Condition | None = None
    set: dict[str, Scalar]
    reason: Annotated[str, Field(min_length=10)]


class Plausible(Strict):
    """Bounds outside which a record waits for a person."""

    most: Annotated[
        float | int | None,
        Field(
            description="Greatest absolute quantity of a record, in base units. Give one: it keeps 999999 and the like "
            "out of stock. Without it any quantity counts.",
            gt=0,
        ),
    ] = None
    most_variance: Annotated[
        float | int | None,
        Field(
            description="Greatest difference between a count and what the ledger said just before it, in base units. "
            "A count beyond it counts, and stands in `gold.count_review` for a second look.",
            gt=0,
        ),
    ] = None


class Reading(Strict):
    """How text becomes values, for the whole feed."""

    null_tokens: Annotated[list[str], Field(description="Texts that mean empty, beside the empty text.")] = []
    decimal: Annotated[Literal[".", ","], Field(description="Decimal sign.")] = "."
    thousands: Annotated[Literal[",", ".", " ", "'", ""], Field(description="Thousands sign.")] = ""
    zone: Annotated[
        str | None, Field(description="Zone of local times: an IANA name, or `location`. The retailer's if not given.")
    ] = None
    formats: Annotated[list[str], Field(description="strptime formats of times; `iso`, `epoch_s`, `epoch_ms`.")] = [
        "iso"
    ]
    future_tolerance_hours: Annotated[
        int, Field(description="Times later than the file's own time plus this are set aside.")
    ] = 36
    past_tolerance_days: Annotated[
        int | None,
        Field(
            description="Times earlier than the file's own time minus this are set aside: a clock that was reset to "
            "1970. Late records are no fault, so be generous; without it no time is too early.",
            ge=1,
        ),
    ] = None
    currency: Annotated[str | None, Field(description="Currency of money columns. The retailer's if not given.")] = None
    role: Annotated[
        Literal["authority", "shadow"] | None,
        Field(description="Whether the feed's facts are counted. Without it the retailer's authority table decides."),
    ] = None
    unknown_product: Annotated[
        Literal["quarantine", "create"],
        Field(description="create: the feed is the only source of products, an unknown code becomes one."),
    ] = "quarantine"
    unknown_location: Annotated[Literal["quarantine", "create"], Field(description="Likewise for places.")] = (
        "quarantine"
    )
    plausible: Plausible = Plausible()
    clock_tolerance_minutes: Annotated[
        float,
        Field(
            description="How far the source's clocks may be off. Movements so near to a count may belong to either "
            "side of it: `gold.stock_band` says what that makes of on-hand.",
            ge=0,
            le=1440,
        ),
    ] = 2
    past_due_days: Annotated[
        float,
        Field(
            description="How many days overdue expected goods may be and still be promised from; beyond, they count "
            "nothing until they come.",
            ge=0,
        ),
    ] = 14
    past_due_grace_days: Annotated[
        float, Field(description="Overdue goods are expected this many days from now.", ge=0)
    ] = 1


class Extract(Strict):
    """Fetching the feed from a database or an API instead of waiting for files."""

    kind: Literal["database", "api"]
    url_env: Annotated[str, Field(description="Environment variable with the address. Never the address itself.")]
    table: Annotated[str | None, Field(description="Table to read, `schema.table`.")] = None
    query: Annotated[str | None, Field(description="SELECT to run instead of a table.")] = None
    order_by: Annotated[list[str], Field(description="Columns that make the extract's order certain.")] = []
    path: Annotated[str | None, Field(description="Path below the API's address.")] = None
    records: Annotated[str, Field(description="Where the records lie in an API page.")] = ""
    next_page: Annotated[str | None, Field(description="Field of a page that holds the next page's address.")] = None
    token_env: Annotated[str | None, Field(description="Environment variable with a bearer token.")] = None


class Contract(Strict):
    """A feed: what arrives, how to read it, and which facts it yields."""

    feed: Annotated[Name, Field(description="Name of the feed.")]
    describes: Annotated[str, Field(description="One sentence for people.", min_length=10)]
    source_system: Annotated[
        Literal["pos", "erp", "wms", "shop", "supplier", "store", "other"],
        Field(description="Kind of system it comes from."),
    ]
    files: Files
    reading: Reading = Reading()
    key: Key
    revision: Revision = Revision()
    void: Annotated[Condition | None, Field(description="Such a record takes its key back.")] = None
    derive: Annotated[
        dict[str, "str | Value"],
        Field(
            description="New columns made before anything else is judged, in this order: {name: value}. Conditions, "
            "keys and values may use them like columns of the file: a header's status looked up for each line, say."
        ),
    ] = {}
    exclude: list[Exclude] = []
    fixes: list[Fix] = []
    yields: Annotated[list[Yield], Field(min_length=1)]
    unmatched: Annotated[
        Literal["quarantine", "ignore"],
        Field(description="A record for which no `when` holds: set aside, or accepted without facts."),
    ] = "quarantine"
    schedule: Schedule = Schedule()
    extract: Extract | None = None


class AuthorityRule(Strict):
    """Which system posts which movements where."""

    facts: Annotated[list[str], Field(description="Movement classes, or `count`, `sale`, `demand`, `supply`.")]
    at: Annotated[list[str] | None, Field(description="Kinds of location; all if not given.")] = None
    from_: Annotated[str, Field(alias="from", description="Source system (pos, wms, ...) or feed.")]


class Retailer(Strict):
    """`retailer.yml`: what all feeds of one retailer share."""

    retailer: Name
    describes: str
    zone: Annotated[str, Field(description="IANA zone of places that name none.")] = "UTC"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    units: Annotated[
        dict[str, str | int],
        Field(
            description="Units that mean the same for every product: base units per unit, such as `DZ: 12` or `1/2`."
        ),
    ] = {}
    authority: Annotated[
        list[AuthorityRule] | None, Field(description="Replaces the default table; see docs/contracts.md.")
    ] = None
    transit_days: Annotated[
        float, Field(description="Days after which goods between two places are overdue.", gt=0)
    ] = 7
    staleness_quantile: Annotated[
        float,
        Field(
            description="How sure promises are that a place whose feeds are late has not sold more since: the share of "
            "times in which the reserve taken off for it is enough.",
            ge=0.01,
            lt=1,
        ),
    ] = 0.9
    service_level: Annotated[
        float,
        Field(description="Wanted share of cycles without a stock-out, where no policy names one.", ge=0.5, lt=1),
    ] = 0.95
    snapshot_days: Annotated[int, Field(description="Closed business days that the flow keeps snapshots of.", ge=0)] = (
        35
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a contract, for editors."""
    return Contract.model_json_schema(by_alias=True)
