"""Open dashboards in a headless browser, as a person would, and tell what each chart asked and got.

Run by test_superset.py with the Python of .bi-venv. Arguments: address, folder for the pictures, slugs. The password
comes from the environment. The answer is JSON on the standard output, one entry a dashboard.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

CHROMIUM = os.environ["SYSTOCK_BI_CHROMIUM"]
PATIENCE = 120_000  # milliseconds; the first look at a page may be slow on a busy machine


def log_in(page: Page, address: str) -> None:
    page.goto(f"{address}/login/", timeout=PATIENCE)
    page.locator("[data-test=username-input]").fill("admin", timeout=PATIENCE)
    page.locator("[data-test=password-input]").fill(os.environ["SYSTOCK_BI_ADMIN_PASSWORD"])
    page.locator("[data-test=login-button]").click()
    page.wait_for_url("**/welcome/**", timeout=PATIENCE)


def look(page: Page, address: str, slug: str, picture: Path) -> dict[str, Any]:
    """Open a dashboard, wait until its charts are drawn, and take its picture."""
    asked: list[dict[str, Any]] = []

    def note(response: Any) -> None:
        if "/api/v1/chart/data" in response.url:
            asked.append({"status": response.status, "body": response.json() if response.ok else response.text()})

    page.on("response", note)
    page.goto(f"{address}/superset/dashboard/{slug}/", timeout=PATIENCE)
    page.locator("[data-test=chart-container]").first.wait_for(timeout=PATIENCE)
    charts = page.locator("[data-test-viz-type]").count()
    page.wait_for_function(
        "n => document.querySelectorAll('[data-test=slice-container]').length >= n && "
        "!document.querySelector('[data-test=loading-indicator]')", arg=charts, timeout=PATIENCE,
    )  # fmt: skip
    page.wait_for_timeout(3000)  # charts grow into their place
    page.screenshot(path=str(picture))
    page.remove_listener("response", note)
    return {
        "charts": charts,
        "status": [one["status"] for one in asked],
        "rows": [result["rowcount"] for one in asked if one["status"] == 200 for result in one["body"]["result"]],
        "errors": page.locator("[role=alert]").all_inner_texts(),
    }


def main() -> None:
    address, folder, *slugs = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1500, "height": 1760})
        log_in(page, address)
        seen = {slug: look(page, address, slug, Path(folder) / f"{slug}.png") for slug in slugs}
        browser.close()
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
