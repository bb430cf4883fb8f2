"""A ledger told at random, and its stock recomputed in plain Python, fact by fact: slow, and easy to believe."""

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Key = tuple[str, str, str, str, str]
START = datetime(2025, 3, 1, tzinfo=UTC)
PRODUCTS, PLACES = [f"P{n}" for n in range(4)], ["S1", "S2", "W1"]
FOREVER = datetime.max.replace(tzinfo=UTC)
_FACTS = """
    select p.product_code, l.location_code, f.state, f.bin_code, f.lot_code, f.event_time, f.quantity, f.known_from,
        f.known_to, {}
    from silver.fact_{} as f
    inner join silver.product_key as p on f.product_id = p.product_id
    inner join silver.location_key as l on f.location_id = l.location_id
    inner join silver.record as r on f.record_id = r.record_id
    where f.role = 'authority'
"""


@dataclass(frozen=True)
class Fact:
    """A movement or a count, with the loads that knew it."""

    key: Key
    at: datetime
    quantity: Decimal
    known_from: int
    known_to: int | None
    document: str = ""
    is_whole: bool = False
    tie: str = ""

    def stands(self, at: datetime, known: int) -> bool:
        return self.at <= at and self.known_from <= known and (self.known_to is None or self.known_to > known)


class NaiveLedger:
    """Every fact of a warehouse, read once; asked for any pair of instant and load."""

    def __init__(self, warehouse: Any) -> None:
        self.movements = [
            Fact(row[:5], *row[5:9]) for row in warehouse.rows(_FACTS.format("f.movement_class", "movement"))
        ]
        counts = "f.count_document, f.scope = 'location' and f.absence = 'zero', cast(r.content_hash as text)"
        self.counts = [Fact(row[:5], *row[5:12]) for row in warehouse.rows(_FACTS.format(counts, "count"))]

    def on_hand(self, at: datetime, known: int) -> dict[Key, Decimal]:
        """Return the quantity of every stock key."""
        moved = [m for m in self.movements if m.stands(at, known)]
        counted = [c for c in self.counts if c.stands(at, known)]
        anchors: dict[Key, list[tuple[datetime, str, Decimal]]] = defaultdict(list)
        first: dict[Key, datetime] = {}
        for fact in (*moved, *counted):
            first[fact.key] = min(first.get(fact.key, FOREVER), fact.at)
        for count in counted:
            anchors[count.key].append((count.at, count.tie, count.quantity))
        whole: dict[tuple[str, str], datetime] = {}
        for count in counted:
            if count.is_whole:
                document = (count.key[1], count.document)
                whole[document] = max(whole.get(document, count.at), count.at)
        for (location, name), ended in whole.items():
            listed = {c.key for c in counted if c.document == name and c.key[1] == location}
            for held, started in first.items():
                if held[1] == location and started < ended and held not in listed:
                    anchors[held].append((ended, "", Decimal(0)))
        found = {}
        for key in first:
            anchor = max(anchors[key]) if anchors[key] else None
            later = (m.quantity for m in moved if m.key == key and (anchor is None or m.at > anchor[0]))
            found[key] = sum(later, anchor[2] if anchor else Decimal(0))
        return found


def tell_at_random(warehouse: Any, chance: random.Random, loads: int = 5, facts: int = 60) -> None:
    """Tell of movements and counts of all ages, and take some back or correct them in later loads."""
    records: list[int] = []
    for _ in range(loads):
        warehouse.load()
        for record in chance.sample(records, min(6, len(records))):
            warehouse.forget(record)  # voided, or corrected by one of the facts that follow
        for number in range(facts):
            # Whole hours and few of them, so that counts and movements often fall on one instant.
            at = START + timedelta(hours=chance.randrange(72))
            row = {
                "product_code": chance.choice(PRODUCTS), "location_code": chance.choice(PLACES),
                "state": chance.choice(["sellable", "sellable", "damaged"]), "bin_code": chance.choice(["", "B1"]),
                "role": chance.choice(["authority"] * 5 + ["shadow"]), "event_time": at.isoformat(),
            }  # fmt: skip
            if chance.random() < 0.75:
                kind, own = "movement", {"quantity": str(chance.randint(-5, 9)), "movement_class": "adjustment"}
            else:
                whole = chance.random() < 0.4
                own = {"quantity": str(chance.randint(0, 40)), "count_document": f"C{number % 4}-{at:%d}"}
                own |= {"scope": "location", "absence": "zero"} if whole else {"scope": "item", "absence": "unknown"}
                kind = "count"
            row |= own
            records += warehouse.tell(kind, " | ".join(row) + "\n" + " | ".join(row.values()))
