"""The files alone, read as the contracts say, give the knowable stock: nothing of the truth is missing in them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from extract.simulated.retailer import SimulatedMonth, simulate
from extract.simulated.truth import on_hand

pytestmark = pytest.mark.fast

COLUMNS = ["product_code", "location_code", "at", "quantity"]
SIGNS = {"RCV": 1, "SHP": -1, "TRO": -1, "ADJ": 1, "CNT": 1}


@pytest.fixture(scope="module")
def inbox(tmp_path_factory) -> tuple[Path, SimulatedMonth]:
    out: Path = tmp_path_factory.mktemp("inbox")
    return out, simulate(out, days=16, stores=3, products=20)


def test_the_files_alone_give_the_knowable_stock(inbox):
    out, month = inbox
    zones = read(out, "erp/locations_*.csv").set_index("PLANT")["TZ"]
    products = read(out, "erp/products_20250228*.txt", sep="\t", encoding="latin-1")
    messages = wms(out, products)
    counts = pd.concat([messages.loc[messages["type"] == "CNT", COLUMNS], store_counts(out, zones)])
    second_codes = read(out, "erp/aliases_*.csv").set_index("ALIAS")["MATNR"]
    sold = tills(out, zones, {*products["MATNR"], *second_codes.index})
    assert sold["product_code"].isin(second_codes.index).any()
    sold["product_code"] = sold["product_code"].replace(second_codes.to_dict())
    moves = pd.concat([messages.loc[messages["type"] != "CNT", COLUMNS], sold, store_moves(out, zones, products)])
    pd.testing.assert_frame_equal(on_hand(counts, moves.assign(is_recorded=True)), month.on_hand)


def read(out: Path, pattern: str, sep: str = ",", encoding: str = "utf-8") -> pd.DataFrame:
    """Every line of some files as text; a ragged row is left out, as it must be."""
    how = {"dtype": str, "keep_default_na": False, "on_bad_lines": "skip"}
    whole: pd.DataFrame = pd.concat(
        [pd.read_csv(path, sep=sep, encoding=encoding, **how) for path in sorted(out.glob(pattern))],  # type: ignore[call-overload]
        ignore_index=True,
    )
    return whole


def seconds(texts: pd.Series, pattern: str, zones: pd.Series) -> pd.Series:
    """Local texts as epoch seconds, each in its own zone."""
    parts = []
    for zone in zones.unique():
        local = pd.to_datetime(texts[zones == zone], format=pattern).dt.tz_localize(zone)
        parts.append((local - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1))
    joined: pd.Series = pd.concat(parts).reindex(texts.index)
    return joined


def tills(out: Path, zones: pd.Series, known: set[str]) -> pd.DataFrame:
    lines = read(out, "pos/*/pos_*.csv", sep=";").drop_duplicates()
    lines = lines.sort_values("VERSION").drop_duplicates(["TIENDA", "JORNADA", "CAJA", "TICKET", "LINEA"], keep="last")
    lines = lines.loc[(lines["ANULADO"] == "N") & (lines["CAJA"] != "99") & lines["TIPO"].isin(["V", "D"])]
    lines = lines.loc[lines["ARTICULO"].isin(known)]
    at = seconds(lines["FECHA_HORA"], "%d/%m/%Y %H:%M:%S", lines["TIENDA"].map(zones))
    quantity = lines["CANTIDAD"].astype(int) * lines["TIPO"].map({"V": -1, "D": 1})
    return pd.DataFrame(dict(zip(COLUMNS, (lines["ARTICULO"], lines["TIENDA"], at, quantity), strict=True)))


def store_moves(out: Path, zones: pd.Series, products: pd.DataFrame) -> pd.DataFrame:
    rows = read(out, "store/*/movements_*.csv")
    rows = rows.loc[rows["store"] != "T"]  # the last line of a file: number and total
    rows = rows.loc[rows["ean"].isin(products["EAN"])].drop_duplicates(ignore_index=True)
    codes = products.set_index("EAN")["MATNR"]
    at = seconds(rows["local_time"], "%Y-%m-%d %H:%M", rows["store"].map(zones))
    values = (rows["ean"].map(codes), rows["store"], at, rows["quantity"].astype(int))
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))


def store_counts(out: Path, zones: pd.Series) -> pd.DataFrame:
    rows = read(out, "store/*/count_*.csv", sep="|").drop_duplicates(ignore_index=True)
    at = seconds(rows["counted_at"], "%Y-%m-%d %H:%M:%S", rows["store"].map(zones))
    return pd.DataFrame(
        dict(zip(COLUMNS, (rows["product"], rows["store"], at, rows["counted"].astype(int)), strict=True))
    )


def wms(out: Path, products: pd.DataFrame) -> pd.DataFrame:
    lines = [line for path in out.glob("wms/*.jsonl") for line in path.read_text("utf-8").splitlines()]
    rows = pd.DataFrame([json.loads(line) for line in lines])
    rows = rows.loc[rows["uom"].isin(["EA", "CS", "DZ"]) & rows["item"].isin(products["MATNR"])]
    rows = rows.loc[rows["type"] != "PCK"].drop_duplicates("message_id").reset_index(drop=True)
    pack = rows["item"].map(products.set_index("MATNR")["UMREZ"].astype(int)).where(rows["uom"] == "CS", 1)
    pack = pack.where(rows["uom"] != "DZ", 12)
    quantity = (rows["qty"] * pack * rows["type"].map(SIGNS)).astype(int)
    at = seconds(rows["at"].str.rstrip("Z"), "%Y-%m-%dT%H:%M:%S", pd.Series("UTC", index=rows.index))
    values = dict(zip(COLUMNS, (rows["item"], rows["warehouse"], at, quantity), strict=True))
    return pd.DataFrame(values | {"type": rows["type"]})
