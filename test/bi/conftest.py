"""Superset is tried on demand only (`make bi-test`): it needs an environment of its own, of a gigabyte."""

import os

collect_ignore = ["photograph.py"] if os.environ.get("SYSTOCK_BI_BIN") else ["photograph.py", "test_superset.py"]
