"""The warehouse system: a JSON lines message log a UTC day, quantities in cases where whole cases moved."""

from functools import partial

import numpy as np
import pandas as pd

from extract.simulated.catalog import WAREHOUSE
from extract.simulated.clock import day_stamp, local_seconds, written
from extract.simulated.emitters.identity import Identity
from extract.simulated.emitters.sheet import Sheet, cut, fields, json_lines, numbers
from extract.simulated.text_columns import coded
from extract.simulated.world import World

FEED = "wms_messages"
HEARTBEAT, PICK = "HBT", "PCK"
NO_FACT = (HEARTBEAT, PICK)
"""Messages that tell nothing of stock: the contract leaves them out by rule."""
IDENTITIES = (
    Identity(FEED, key=("message_id",), left_out=(("type", HEARTBEAT, "heartbeat"), ("type", PICK, "pick")), head=()),
)
_SCOPES = {"location": "FULL", "item": "CYCLE"}
_TYPES = {"receipt": "RCV", "shipment": "SHP", "transfer_out": "TRO", "adjustment": "ADJ", "count": "CNT"}
_KINDS = {HEARTBEAT: "", PICK: "", "CNT": "count"}


def sheets(world: World) -> list[Sheet]:
    """Return a log per UTC day, from the eve's stock take on; each day starts with a heartbeat."""
    midnights = local_seconds(world.start, world.days, 0, "UTC")
    beats = pd.DataFrame({"type": HEARTBEAT, "at": midnights + 5})
    events = pd.concat([_events(world), beats], ignore_index=True)
    events = events.sort_values("at", kind="stable", ignore_index=True)
    days = np.searchsorted(midnights, numbers(events, "at"), side="right") - 1
    stamps = {day: day_stamp(world.start, day) for day in range(-1, world.days)}
    events["number"] = pd.Series(days).groupby(days).cumcount() + 1
    events = events.assign(day=days)
    names = {day: f"wms/messages_{stamp}.jsonl" for day, stamp in stamps.items()}
    return cut(FEED, events, days, names, json_lines, make=partial(_records, stamps=stamps))


def _events(world: World) -> pd.DataFrame:
    """Return what the warehouse's system saw: its recorded movements, its counts, and picks (which move nothing)."""
    moves = world.movements.loc[(world.movements["place"] == 0) & world.movements["is_recorded"].astype(bool)]
    counts = world.counts.loc[world.counts["place"] == 0]
    moves = moves.assign(type=moves["movement_class"].map(_TYPES))
    counts = counts.assign(type=_TYPES["count"], note=counts["scope"].map(_SCOPES), line=0, counter_location_code="")
    codes = world.catalog.products["product_code"].tolist()
    picks = world.web_picks.rename(columns={"order": "document"})
    picks = picks[["document", "line", "item", "quantity", "at"]].assign(
        type=PICK, product_code=coded(codes, numbers(picks, "item")).to_numpy()
    )
    events = pd.concat([moves, counts, picks], ignore_index=True)
    pack = world.catalog.numbers("pack_quantity")[numbers(events, "item")]
    quantity = numbers(events, "quantity")
    is_cases = (pack > 1) & (quantity % pack == 0) & (quantity != 0)
    quantity = np.where(is_cases, quantity // pack, quantity)
    # The log has no signs but for adjustments: the type says which way the goods went.
    is_signed = (events["type"] == _TYPES["adjustment"]).to_numpy()
    return events.assign(qty=np.where(is_signed, quantity, np.abs(quantity)), uom=np.where(is_cases, "CS", "EA"))


def _records(events: pd.DataFrame, *, stamps: dict[int, str]) -> pd.DataFrame:
    """Name the fields; an empty text is left out of the message, as all but the first four of a heartbeat are."""
    texts = events[["product_code", "uom", "document", "counter_location_code", "note"]].fillna("")
    whole = events[["qty", "line"]].fillna(0).astype("int64")
    is_beat = events["type"] == HEARTBEAT
    return fields(
        {
            "message_id": [f"M{stamps[day]}-{n:05d}" for day, n in zip(events["day"], events["number"], strict=True)],
            "type": events["type"].tolist(),
            "at": written(numbers(events, "at"), "UTC", "%Y-%m-%dT%H:%M:%SZ"),
            "warehouse": [WAREHOUSE] * len(events),
            "item": texts["product_code"].tolist(),
            "qty": ["" if beat else qty for beat, qty in zip(is_beat, whole["qty"].tolist(), strict=True)],
            "uom": texts["uom"].tolist(),
            "ref.document": texts["document"].tolist(),
            "ref.line": [str(line) if line else "" for line in whole["line"]],
            "to": texts["counter_location_code"].tolist(),
            "note": texts["note"].tolist(),
            "$kind": [_KINDS.get(kind, "movement") for kind in events["type"]],
            "$product": texts["product_code"].tolist(),
            "$location": [WAREHOUSE] * len(events),
            "$at": numbers(events, "at").tolist(),
            "$each": events["quantity"].fillna(0).astype("int64").tolist(),
        }
    )
