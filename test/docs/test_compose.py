"""What can be known of the containers without Docker: whole, pinned, and with no secret of its own."""

import re
from typing import Any

import pytest
import yaml

from etl_pipeline.core.release import RELEASE
from test.run_warehouse import REPO

pytestmark = pytest.mark.fast

SECRETS = ("PASSWORD", "SECRET_KEY")


def services() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load((REPO / "docker-compose.yml").read_text(encoding="utf-8"))
    return dict(found["services"])


def test_every_image_has_a_version_and_every_built_one_a_dockerfile():
    for name, service in services().items():
        if "image" in service:
            assert re.fullmatch(r"[a-z/-]+:\d+(\.\d+)*", service["image"]), name
        if "build" in service:
            dockerfile = (REPO / service["build"] / "Dockerfile").read_text(encoding="utf-8")
            assert all(re.search(r":\d", line) for line in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)), name


def test_the_images_of_the_project_bear_its_release():
    own = [s["image"] for s in services().values() if s.get("image", "").startswith("systock:")]
    assert own == [f"systock:{RELEASE}"] * 2


def test_the_profile_watch_adds_one_service_and_nothing_starts_it_without():
    assert [name for name, service in services().items() if service.get("profiles") == ["watch"]] == ["watch"]


def test_no_secret_has_a_value_in_the_files():
    for name, service in services().items():
        for key, value in service["environment"].items():
            if key.endswith((*SECRETS, "WEBHOOK_URL")):
                assert re.fullmatch(r"\$\{[A-Z_]+(:-|:\?[^}]*)?\}", value), f"{name}: {key}"
            elif "://" in value:
                assert re.search(r"://[a-z_]+:\$\{[A-Z_]+(:-)?\}@", value), f"{name}: {key}"
    example = (REPO / ".env.example").read_text(encoding="utf-8")
    assert re.findall(rf"^#? ?\w*(?:{'|'.join(SECRETS)})=(?!$).*", example, re.MULTILINE) == []


def test_what_is_mounted_is_there_and_read_only():
    for service in services().values():
        for volume in service.get("volumes", []):
            source, *rest = volume.split(":")
            if source.startswith("./"):
                assert (REPO / source).exists(), volume
                assert rest[-1] == "ro", volume


def test_the_profile_bi_starts_superset_after_its_login_and_nothing_without_it():
    found = services()
    assert {name for name, service in found.items() if service.get("profiles") == ["bi"]} == {"bi", "bi-login"}
    assert found["bi"]["depends_on"] == {"bi-login": {"condition": "service_completed_successfully"}}
    start = (REPO / "data_warehouse" / "bi" / "start.sh").read_text(encoding="utf-8")
    wanted = re.search(r"^for name in (.+); do$", start, re.MULTILINE)
    assert wanted is not None
    assert set(wanted[1].split()) == set(found["bi"]["environment"])
    assert found["bi"]["command"][-1].removeprefix("/systock/") == "data_warehouse/bi/start.sh"
    assert "healthcheck" in found["bi"]


def test_every_variable_of_the_compose_file_is_told_of_in_the_example():
    text = (REPO / "docker-compose.yml").read_text(encoding="utf-8")
    example = (REPO / ".env.example").read_text(encoding="utf-8")
    assert [name for name in set(re.findall(r"\$\{([A-Z_]+)", text)) if f"{name}=" not in example] == []
