#!/usr/bin/env bash
# Start Superset with SyStock's dashboards: in the container of docker-compose.yml, and without one in `make bi-test`.
# Wants SUPERSET_SECRET_KEY, SYSTOCK_BI_ADMIN_PASSWORD, SYSTOCK_BI_URL and SUPERSET_HOME in the environment.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
for name in SUPERSET_SECRET_KEY SYSTOCK_BI_ADMIN_PASSWORD SYSTOCK_BI_URL SUPERSET_HOME; do
    if [ -z "${!name:-}" ]; then echo "Set $name, see docs/bi.md." >&2; exit 2; fi
done
export SUPERSET_CONFIG_PATH="$here/superset_config.py" FLASK_APP=superset.app:create_app\(\)
superset db upgrade
superset init
PYTHONPATH="$here/../..${PYTHONPATH:+:$PYTHONPATH}" python -m data_warehouse.bi.prepare
exec gunicorn --bind "${SYSTOCK_BI_BIND:-0.0.0.0:8088}" --workers 1 --worker-class gthread --threads 8 --timeout 120 \
    'superset.app:create_app()'
