"""Merged codes: from some day on a product is sold under a second code too, which the ERP tells as an alias."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from extract.simulated.catalog import Catalog
from extract.simulated.clock import Flags, Ints

_FIRST, _EVERY = 7, 50  # the eighth product, and each fiftieth after it
_NEEDS_DAYS = 3


@dataclass(frozen=True)
class MergedCodes:
    """Second codes of products. Stock is kept under the first one: the product's own.

    Attributes:
        rows: one row a second code: item, alias_code, product_code.
        from_day: day on which the second codes begin; at or after the last day when there are none.
    """

    rows: pd.DataFrame
    from_day: int

    def second_numbers(self, products: int) -> Ints:
        """Return the place of each product's second code in a list of all first codes and then the second ones."""
        numbers = np.arange(products)
        numbers[self.rows["item"].to_numpy(dtype=np.int64)] = products + np.arange(len(self.rows))
        return numbers

    def is_second(self, item: Ints, day: Ints, receipt: Ints) -> Flags:
        """Return which till lines carry the second code: every other receipt, while old packs are sold off."""
        has_second = np.isin(item, self.rows["item"].to_numpy(dtype=np.int64))
        is_second: Flags = has_second & (day >= self.from_day) & (receipt % 2 == 1)
        return is_second


def make_merged_codes(catalog: Catalog, *, days: int) -> MergedCodes:
    """Choose the products that get a second code, a third into the period; none in a period of a day or two."""
    codes = catalog.products["product_code"].to_numpy(dtype=str)
    item = np.arange(_FIRST, len(codes) if days >= _NEEDS_DAYS else 0, _EVERY)
    rows = pd.DataFrame({"item": item, "alias_code": [f"{code}N" for code in codes[item]], "product_code": codes[item]})
    return MergedCodes(rows, days // 3)
