"""Which feed's facts are counted: each physical movement once."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.checking import DEFAULT_AUTHORITY
from etl_pipeline.contracts.model import AuthorityRule, Contract
from etl_pipeline.silver_layer.numbers import mask


def effective_rules(rules: list[AuthorityRule] | None, systems: set[str]) -> list[AuthorityRule]:
    """Return the rules that apply: the retailer's own, or the defaults for the systems that it has."""
    if rules is not None:
        return rules
    return [rule for rule in DEFAULT_AUTHORITY if rule.from_ in systems]


def roles(contract: Contract, rules: list[AuthorityRule], subject: pa.Array, location_kind: pa.Array) -> pa.Array:
    """Return `authority` or `shadow` for each fact.

    Args:
        contract: the feed that tells the facts; its `reading.role` decides where it is set.
        rules: the rules that apply.
        subject: movement class, or the fact kind, of each fact.
        location_kind: kind of place of each fact; null where unknown.
    """
    if contract.reading.role:
        return pa.repeat(pa.scalar(contract.reading.role), len(subject))
    told_by = {contract.feed, contract.source_system}
    is_shadow = np.zeros(len(subject), dtype=bool)
    decided = np.zeros(len(subject), dtype=bool)
    for rule in rules:
        speaks = mask(pc.is_in(subject, value_set=pa.array(rule.facts, pa.string()))) & ~decided
        if rule.at:
            speaks &= mask(pc.is_in(location_kind, value_set=pa.array(rule.at, pa.string())))
        decided |= speaks
        if rule.from_ not in told_by:
            is_shadow |= speaks
    return pc.if_else(pa.array(is_shadow), "shadow", "authority")
