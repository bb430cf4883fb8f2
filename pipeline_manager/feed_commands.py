"""What the `systock feeds` commands do."""

import sys
from pathlib import Path

from etl_pipeline.contracts.drafting import draft_contract
from etl_pipeline.contracts.loading import ContractError, check_folder
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.log import printable


def show_check(folder: Path) -> None:
    """Print warnings and what the contracts yield, or raise with every mistake."""
    result = check_folder(folder)
    for warning in result.warnings:
        sys.stderr.write(f"worth a look:{printable(str(warning))}\n")
    if result.mistakes or result.feeds is None:
        raise ContractError(result.mistakes)
    for name, contract in sorted(result.feeds.contracts.items()):
        facts = ", ".join(dict.fromkeys(rule.set or rule.fact for rule in contract.yields))
        sys.stdout.write(printable(f"{name}: {', '.join(contract.files.patterns)} -> {facts}") + "\n")
    count = len(result.feeds.contracts)
    what = "1 contract" if count == 1 else f"{count} contracts"
    sys.stdout.write(f"{what} of '{result.feeds.retailer.retailer}' {'is' if count == 1 else 'are'} right.\n")


def draft(file: Path) -> str:
    """Return a proposed contract for a sample file."""
    if not file.is_file():
        raise UsageError(f"{file} is no file. Give a sample file of the feed.")
    return draft_contract(file)
