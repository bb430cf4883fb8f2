"""Superset's settings, all from the environment; this file holds no secret and has no default for one.

SUPERSET_SECRET_KEY  signs sessions. Superset keeps no password of the warehouse.
SYSTOCK_BI_URL       the warehouse, as a login that is a member of bi_reader.
SUPERSET_HOME        folder of Superset's own database (users, and what the bundle says).
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url

PLACEHOLDER_HOST = "systock-warehouse"  # as the bundle writes it, databases/SyStock.yaml

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = f"sqlite:///{Path(os.environ['SUPERSET_HOME']) / 'superset.db'}"
WTF_CSRF_ENABLED = True
# Figures change when a load commits, and Superset does not hear of it: nothing is kept from one look to the next.
CACHE_CONFIG = DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}


def DB_CONNECTION_MUTATOR(  # noqa: N802 - the name is Superset's
    uri: URL, params: dict[str, Any], username: str | None, security_manager: object, source: object
) -> tuple[URL, dict[str, Any]]:
    """Give the bundle's data source the address from the environment; other sources keep theirs."""
    del username, security_manager, source
    if uri.host != PLACEHOLDER_HOST:
        return uri, params
    arguments = {**params.get("connect_args", {}), "options": "-c timezone=UTC -c default_transaction_read_only=on"}
    return make_url(os.environ["SYSTOCK_BI_URL"]), {**params, "connect_args": arguments}
