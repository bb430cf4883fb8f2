"""The named cases of section 12 of the semantics: each a story in a few facts, and the stock that is right at its end.

`$` in a code stands for the copy: every copy has products and places of its own.
"""

from dataclasses import dataclass, field

from test.semantics.deliveries import Fact
from test.semantics.sampled_retailer import row


@dataclass(frozen=True)
class Story:
    """What is told, and what must be shown.

    Attributes:
        says: the case in a sentence.
        facts: in no order.
        on_hand: (product, place) -> stock, of everything that gold may show.
        set_aside: reasons of what waits in the end.
        zone: of the store.
        winners: where several figures are right as long as one is always shown.
        masters: products of the story; their masters come in any order too.
    """

    says: str
    facts: tuple[Fact, ...]
    on_hand: dict[tuple[str, str], int]
    set_aside: tuple[str, ...] = ()
    zone: str = "UTC"
    winners: frozenset[int] = frozenset()
    masters: tuple[str, ...] = field(default=("A$",))


def day(date: str, time: str = "12:00:00") -> str:
    return f"2025-{date}T{time}"


def counted(doc: str, at: str, qty: int, sku: str = "A$", place: str = "S$", **more: object) -> Fact:
    scope = {"rev": 1, "scope": "item", "absence": "unknown"}
    return row("count", doc=f"{doc}-$", sku=sku, place=place, at=at, qty=qty, **(scope | more))


def moved(doc: str, at: str, qty: int, kind: str = "adjustment", **more: object) -> Fact:
    there = {"rev": 1, "sku": "A$", "place": "S$"}
    return row("move", doc=f"{doc}-$", at=at, qty=qty, kind=kind, **(there | more))


def sold(ticket: str, at: str, qty: int, **more: object) -> Fact:
    line = {"till": "1", "rev": 1, "sku": "A$", "place": "S$", "kind": "sale", "day": at[:10]}
    return row("till", ticket=ticket, at=at, qty=qty, **(line | more))


def ordered(event: str, at: str, qty: int) -> Fact:
    return row("order", order="W-$", sku="A$", place="S$", at=at, qty=qty, event=event)


def bought(event: str, at: str, qty: int) -> Fact:
    return row("purchase", order="P-$", sku="A$", place="S$", at=at, qty=qty, event=event)


def noticed(rev: int, at: str, qty: int) -> Fact:
    return row("notice", notice="N-$", rev=rev, order="P-$", sku="A$", place="S$", at=at, qty=qty)


def received(at: str, qty: int) -> Fact:
    return row("receipt", doc="R-$", order="P-$", sku="A$", place="S$", at=at, qty=qty)


def means(code: str, sku: str, since: str, **more: object) -> Fact:
    return row("alias", code=code, sku=sku, since=f"{since}T00:00:00", **({"rev": 1} | more))


BEFORE = (counted("C0", day("02-01"), 10),)
TWO_CODES = (
    counted("C0", day("02-01"), 5, sku="OLD$"), counted("C1", day("02-01"), 10),
    means("OLD$", "A$", "2025-02-02"), sold("T1", day("02-03"), 1, sku="OLD$"),
)  # fmt: skip
BOTH = ("A$", "OLD$")

STORIES = {
    "count and sale at one instant": Story(
        "A sale at the very instant of a count is in the count; one a second later is not.",
        (counted("C1", day("02-02"), 7), sold("T1", day("02-02"), 2), sold("T2", day("02-02", "12:00:01"), 1)),
        {("A$", "S$"): 6},
    ),
    "two counts at one instant": Story(
        "Of two counts at one instant one wins, whichever was heard first.",
        (counted("C1", day("02-02"), 7), counted("C2", day("02-02"), 9), sold("T1", day("02-03"), 1)),
        {("A$", "S$"): 0},
        winners=frozenset({6, 8}),
    ),
    "a count in the future": Story(
        "A count dated after its own file waits for a person and anchors nothing.",
        (*BEFORE, counted("C1", "2099-01-01T00:00:00", 999), sold("T1", day("02-03"), 1)),
        {("A$", "S$"): 9},
        set_aside=("future_time",),
    ),
    "a correction across the anchor": Story(
        "A correction that moves a sale to before the count takes it out of what came after.",
        (counted("C1", day("02-02"), 20), sold("T1", day("02-02", "13:00:00"), 4, day="2025-02-02"),
         sold("T1", day("02-02", "11:00:00"), 4, rev=2, day="2025-02-02")),
        {("A$", "S$"): 20},
    ),
    "a voided count": Story(
        "A count that is voided is no anchor, and what it hid stands again.",
        (moved("D1", day("02-01"), 10), counted("C1", day("02-02"), 3),
         counted("C1", day("02-02"), 3, rev=2, status="void")),
        {("A$", "S$"): 10},
    ),
    "a return of something never sold here": Story(
        "A return is a movement of its own: what is taken back stands here, sold here or not.",
        (sold("T1", day("02-02"), -1, kind="return"),),
        {("A$", "S$"): 1},
    ),
    "ship without reservation": Story(
        "What is shipped without a reservation is gone all the same, and reserves nothing.",
        (*BEFORE, moved("D1", day("02-02"), -4, "shipment", order="W-$", line="1")),
        {("A$", "S$"): 6},
    ),
    "cancel after ship": Story(
        "What was shipped and cancelled afterwards is freed once, not twice.",
        (*BEFORE, ordered("reserve", day("02-02"), 4), moved("D1", day("02-03"), -4, "shipment", order="W-$", line="1"),
         ordered("cancel", day("02-04"), 4)),
        {("A$", "S$"): 6},
    ),
    "reserve at the store and pick up at the till": Story(
        "Picked up at the till: the sale closes the reservation, and the shop's word of it takes nothing more.",
        (*BEFORE, ordered("reserve", day("02-02"), 3), sold("T1", day("02-03"), 3, order="W-$"),
         ordered("ship", day("02-03"), 3)),
        {("A$", "S$"): 7},
    ),
    "kit and bundle": Story(
        "A kit has no stock: its sale takes its parts, as many as the list of parts says.",
        (counted("C0", day("02-01"), 10), counted("C0", day("02-01"), 10, sku="B$"),
         row("kit", kit="KIT$", no=1, part="A$", pieces=2), row("kit", kit="KIT$", no=2, part="B$", pieces=1),
         row("kit_till", ticket="T-$", sku="KIT$", place="S$", at=day("02-02"), qty=3)),
        {("A$", "S$"): 4, ("B$", "S$"): 7},
        masters=("A$", "B$", "KIT$"),
    ),
    "consignment": Story(
        "Goods of a supplier that stand with us are ours to sell and told apart by lot; ours at a partner stand there.",
        (moved("D1", day("02-01"), 5, "receipt", lot="consigned by SUP"), moved("D2", day("02-01"), 4, "receipt"),
         moved("D3", day("02-02"), -3, "sale", lot="consigned by SUP"),
         moved("D4", day("02-03"), -2, "transfer_out", other="V$"),
         moved("D5", day("02-03"), 2, "transfer_in", place="V$", other="S$"),
         moved("D6", day("02-04"), -1, "sale", place="V$")),
        {("A$", "S$"): 4, ("A$", "V$"): 1},
    ),
    "transfer received before it was shipped": Story(
        "A transfer that arrives before it leaves stands at both ends as told, and nothing stays in transit.",
        (counted("C0", day("02-01"), 10, place="W$"), moved("D1", day("02-02"), 6, "transfer_in", other="W$"),
         moved("D2", day("02-03"), -6, "transfer_out", place="W$", other="S$")),
        {("A$", "S$"): 6, ("A$", "W$"): 4},
    ),
    "a unit change in mid-life": Story(
        "A case holds what it held on the day: six before February, ten from then on.",
        (row("pack", sku="A$", unit="CS", holds=6, since="2025-01-01"),
         row("pack", sku="A$", unit="CS", holds=10, since="2025-02-01"),
         moved("D1", day("01-31", "23:59:59"), 2, "receipt", unit="CS"),
         moved("D2", day("02-01", "00:00:00"), 2, "receipt", unit="CS")),
        {("A$", "S$"): 32},
    ),
    "a re-used code": Story(
        "An old code means one product until February and another from then on.",
        (means("USED$", "A$", "2025-01-01"), means("USED$", "B$", "2025-02-01"),
         moved("D1", day("01-15"), 5, sku="USED$"), moved("D2", day("02-15"), 3, sku="USED$")),
        {("A$", "S$"): 5, ("B$", "S$"): 3},
        masters=("A$", "B$"),
    ),
    "merged codes": Story(
        "What stands under a merged code is shown with the code it means; the sum is what it was.",
        TWO_CODES, {("A$", "S$"): 14}, masters=BOTH,
    ),
    "merged codes, counted since": Story(
        "A count of the code that is left counts the goods of both; a sale under the old code takes from it.",
        (*TWO_CODES, counted("C2", day("02-04"), 13), sold("T2", day("02-05"), 2, sku="OLD$")),
        {("A$", "S$"): 11}, masters=BOTH,
    ),
    "merged codes, counted apart": Story(
        "A stock take that lists both codes counted both.",
        (*TWO_CODES, counted("C2", day("02-04"), 13), counted("C2", day("02-04", "11:00:00"), 4, sku="OLD$")),
        {("A$", "S$"): 17}, masters=BOTH,
    ),
    "un-merged codes": Story(
        "From the day on which a code means itself again, each has what was told of it.",
        (*TWO_CODES, means("OLD$", "OLD$", "2025-02-04"), sold("T2", day("02-05"), 2)),
        {("A$", "S$"): 8, ("OLD$", "S$"): 4}, masters=BOTH,
    ),
    "a merge that was a mistake": Story(
        "A merge that is taken back never was: a count in between spoke for its own code only.",
        (*TWO_CODES, counted("C2", day("02-04"), 8), means("OLD$", "A$", "2025-02-02", rev=2, status="void")),
        {("A$", "S$"): 8, ("OLD$", "S$"): 4}, masters=BOTH,
    ),
    "codes merged twice": Story(
        "A code merged into one that is merged in turn stands under the last of them.",
        (*TWO_CODES, counted("C1", day("02-01"), 3, sku="B$"), means("A$", "B$", "2025-02-10"),
         counted("C2", day("02-12"), 15, sku="B$"), sold("T2", day("02-13"), 2, sku="OLD$")),
        {("B$", "S$"): 13}, masters=("A$", "B$", "OLD$"),
    ),
    "a store closed and re-opened": Story(
        "A store that closed empty and opens again counts from nothing, with tickets numbered anew.",
        (moved("D1", day("01-05"), 10, "receipt"), sold("1", day("01-06"), 1),
         counted("C1", day("01-31"), 0, sku="B$", scope="location", absence="zero"), sold("2", day("01-30"), 2),
         row("place", place="S$", kind="virtual", zone="UTC", since="2025-02-01"),
         row("place", place="S$", kind="store", zone="UTC", since="2025-03-01"),
         moved("D2", day("03-01"), 7, "receipt"), sold("1", day("03-02"), 1)),
        {("A$", "S$"): 6, ("B$", "S$"): 0},
        masters=("A$", "B$"),
    ),
    "days of 23 and 25 hours": Story(
        "Local times are counted once each on the days on which clocks change; one that never was waits.",
        (counted("C0", "2025-03-29T00:00:00", 20), sold("T1", day("03-30", "01:30:00"), 1),
         sold("T2", day("03-30", "03:30:00"), 1), sold("T3", day("03-30", "02:30:00"), 5),
         sold("T4", day("10-26", "02:30:00"), 1), sold("T5", day("10-26", "02:30:00"), 1),
         sold("T6", day("10-26", "03:30:00"), 1)),
        {("A$", "S$"): 15},
        set_aside=("local_time_gap",),
        zone="Europe/Berlin",
    ),
    "offline tills uploading a week late": Story(
        "A till's week that comes late moves no stock that was counted since, and takes what was sold after.",
        (counted("C1", day("02-10"), 30), sold("T1", day("02-09"), 2), sold("T2", day("02-11"), 3)),
        {("A$", "S$"): 27},
    ),
    "a whole-store count with one zone left out": Story(
        "A zone that nobody counted keeps what it had.",
        (*(counted("C1", day("02-01"), qty, bin=zone, scope="zone") for zone, qty in (("Z1", 5), ("Z2", 6), ("Z3", 7))),
         counted("C1", day("02-01"), 9, sku="B$", bin="Z3", scope="zone"),
         *(counted("C2", day("02-02"), qty, bin=zone, scope="zone") for zone, qty in (("Z1", 4), ("Z2", 6)))),
        {("A$", "S$"): 17, ("B$", "S$"): 9},
        masters=("A$", "B$"),
    ),
    "a notice re-sent after a partial receipt": Story(
        "A notice told again after a part has come expects the rest, not all of it again.",
        (bought("order", day("02-01"), 20), noticed(1, day("02-02"), 20), received(day("02-03"), 12),
         noticed(2, day("02-04"), 20)),
        {("A$", "S$"): 12},
    ),
    "an order cancelled after a partial receipt": Story(
        "A cancelled order expects nothing more, and what came of it stays.",
        (bought("order", day("02-01"), 20), received(day("02-03"), 12), bought("cancel", day("02-04"), 20)),
        {("A$", "S$"): 12},
    ),
    "re-used ticket numbers": Story(
        "A ticket number that comes again on another day or till is another ticket.",
        (sold("1", day("02-01"), 2), sold("1", day("02-02"), 3), sold("1", day("02-01"), 1, till="2")),
        {("A$", "S$"): -6},
    ),
    "a back-dated receipt before a count": Story(
        "A receipt from before the count explains it and adds nothing: 1, and not the well-known 42.",
        (counted("C1", day("02-02"), 1), moved("D1", day("02-01"), 41, "receipt")),
        {("A$", "S$"): 1},
    ),
    "movements and a back-dated count": Story(
        "After a back-dated count stock is the count and what came after it.",
        (moved("D1", day("02-01"), 10, "receipt"), sold("T1", day("02-04"), 3), counted("C1", day("02-02"), 8)),
        {("A$", "S$"): 5},
    ),
}  # fmt: skip
