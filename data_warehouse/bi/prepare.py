"""Make Superset what the files say: the administrator, data source, data sets, charts and dashboards.

Run by start.sh with Superset's own Python, each time before the server starts. What the files say wins over what was
changed by hand under the same identity; what people made beside it stays.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from flask import g
from superset.app import create_app

from data_warehouse.bi.chart_query import chart_query

BUNDLE = Path(__file__).resolve().parent / "bundle"
ADMIN = "admin"


def contents() -> dict[str, str]:
    """Return the text of each file of the bundle, with the query of each chart."""
    found: dict[str, str] = {}
    for path in sorted(BUNDLE.rglob("*.yaml")):
        name = path.relative_to(BUNDLE).as_posix()
        text = path.read_text(encoding="utf-8")
        if not name.startswith("metadata"):
            told: dict[str, Any] = yaml.safe_load(text) | {"is_managed_externally": True}
            if name.startswith("charts/"):
                told["query_context"] = json.dumps(chart_query(told["params"]))
            text = yaml.safe_dump(told, sort_keys=False)
        found[name] = text
    return found


def set_administrator(password: str) -> Any:
    """Return the administrator, made if missing, with the password of the environment."""
    from superset import security_manager

    user = security_manager.find_user(ADMIN)
    if user is None:
        role = security_manager.find_role("Admin")
        made = security_manager.add_user(ADMIN, "SyStock", "Admin", "admin@systock.invalid", role, password=password)
        if not made:
            raise SystemExit("Superset does not take the administrator; its log says why.")
        return made
    security_manager.reset_password(user.id, password)
    return user


def main() -> None:
    """Set the administrator and import the bundle.

    Raises:
        SystemExit: the environment lacks the administrator's password.
    """
    password = os.environ.get("SYSTOCK_BI_ADMIN_PASSWORD", "")
    if not password:
        raise SystemExit("Set SYSTOCK_BI_ADMIN_PASSWORD: the password of Superset's user `admin`.")
    with create_app().app_context():
        from superset.commands.importers.v1.assets import ImportAssetsCommand

        g.user = set_administrator(password)
        told = contents()
        ImportAssetsCommand(told).run()
    sys.stdout.write(f"SyStock: {len(told) - 1} files of the bundle are in Superset.\n")


if __name__ == "__main__":
    main()
