"""Many copies of one story, each told in an order of its own, as the files of a few deliveries.

Fact after fact of a copy comes in the order of the copy's own permutation, some come again later, and all copies share
the files of a delivery: so a handful of runs holds thousands of orders.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from test.semantics.sampled_retailer import HEADERS

Fact = tuple[str, str]
"""Feed, and the line of its file."""
Delivery = dict[str, list[str]]
"""Feed -> lines."""


def told_in_any_order(
    copies: Mapping[str, Sequence[Fact]], deliveries: int, chance: random.Random, again: float = 0.2
) -> list[Delivery]:
    """Return what each delivery brings: every fact of every copy once, in random order, and some again.

    Args:
        copies: the facts of each copy.
        deliveries: how many there are.
        chance: decides; the same seed gives the same deliveries.
        again: share of the facts that a later delivery (or the same) repeats.
    """
    told: list[Delivery] = [{} for _ in range(deliveries)]
    for facts in copies.values():
        order = chance.sample(list(facts), len(facts))
        if len(order) <= deliveries:
            places = sorted(chance.sample(range(deliveries), len(order)))
        else:
            places = sorted(chance.choices(range(deliveries), k=len(order)))
        for (feed, line), place in zip(order, places, strict=True):
            told[place].setdefault(feed, []).append(line)
            if chance.random() < again:
                told[chance.randrange(place, deliveries)].setdefault(feed, []).append(line)
    for delivery in told:
        for lines in delivery.values():
            chance.shuffle(lines)
    return told


def write_delivery(folder: Path, number: int, delivery: Delivery, day: str) -> Path:
    """Write the files of one delivery, all made on `day`; return their inbox."""
    folder.mkdir(parents=True, exist_ok=True)
    for feed, lines in delivery.items():
        text = "\n".join([HEADERS[feed], *lines, ""])
        (folder / f"{feed}-{day}-{number:02d}.csv").write_text(text, encoding="utf-8")
    return folder
