"""In which order feeds are loaded: what others look codes up in comes first. Only speed depends on it."""

from collections.abc import Mapping

from etl_pipeline.contracts.expressions import as_list, values_of
from etl_pipeline.contracts.facts import FACT_KINDS
from etl_pipeline.contracts.model import Contract


def _gives(contract: Contract) -> set[str]:
    """Return the lookup sets that a feed fills; the built-in sets have the name of their fact."""
    names = {rule.set for rule in contract.yields if rule.set}
    names |= {rule.fact for rule in contract.yields if rule.fact in ("product", "location")}
    if any(rule.fact in ("alias", "unit_conversion") for rule in contract.yields):
        names.add("code")
    return names


def soft_sets(contract: Contract) -> set[str]:
    """Return the lookup sets without whose codes a feed goes on."""
    values = (value for _, value, _, _ in values_of(contract) if value.lookup and value.lookup_else is not None)
    return {step.rpartition(".")[0] for value in values for step in as_list(value.lookup)}


def _takes(contract: Contract) -> set[str]:
    """Return the lookup sets that a feed needs."""
    names = {step.rpartition(".")[0] for _, value, _, _ in values_of(contract) for step in as_list(value.lookup)}
    for rule in contract.yields:
        if rule.fact == "reference" or rule.fact in ("product", "location", "supplier", "channel"):
            continue
        columns = FACT_KINDS[rule.fact].by_name
        names |= {name.removesuffix("_code") for name in ("product_code", "location_code") if name in columns}
        if rule.fact not in ("alias", "unit_conversion"):
            names.add("code")
    return names


def load_order(contracts: Mapping[str, Contract]) -> list[list[str]]:
    """Return the feeds in groups; each group needs only what earlier ones give. Circles end in the last group."""
    gives = {name: _gives(contract) for name, contract in contracts.items()}
    takes = {name: _takes(contract) for name, contract in contracts.items()}
    open_, groups = sorted(contracts), []
    while open_:
        missing = {name: {other for other in open_ if other != name and gives[other] & takes[name]} for name in open_}
        ready = [name for name in open_ if not missing[name]] or list(open_)
        groups.append(ready)
        open_ = [name for name in open_ if name not in ready]
    return groups
