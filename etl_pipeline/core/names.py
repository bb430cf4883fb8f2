"""Names of schemas and roles. Untrusted text becomes a name here or not at all."""

import re
from dataclasses import dataclass

from etl_pipeline.core.errors import UsageError

SAFE_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
SAFE_ROLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
LAYERS = ("bronze", "silver", "gold", "ops")
PROD = "prod"
FIXED_PATH = "-c search_path=pg_catalog,pg_temp"
"""Option of every connection of ours: nobody's function, operator or table is taken for the server's own."""


def safe_name(text: str, what: str) -> str:
    """Return the text if it is a safe name; raise UsageError otherwise."""
    if not SAFE_NAME.fullmatch(text):
        raise UsageError(
            f"{what} {text[:60]!a} is not a safe name: use small letters, digits and underscores, starting with a "
            "letter, 48 at most."
        )
    return text


def safe_role(text: str) -> str:
    """Return the text if it is the name of a role of ours; raise UsageError otherwise."""
    if not SAFE_ROLE.fullmatch(text):
        raise UsageError(f"role {text[:80]!a} is not a safe name. Drop the environment and create it again.")
    return text


@dataclass(frozen=True)
class Schemas:
    """The schemas of one environment; prod has the plain names.

    Attributes:
        env: name of the environment.
        bronze: schema of what was received.
        silver: schema of facts.
        gold: schema of what people read.
        ops: schema of how it runs.
        role: role that every connection to the environment takes on, so that it can write nowhere else; None in prod.
    """

    env: str
    bronze: str
    silver: str
    gold: str
    ops: str
    role: str | None = None

    @classmethod
    def of(cls, env: str | None) -> "Schemas":
        """Return the schemas of an environment."""
        name = safe_name(env or PROD, "environment")
        prefix = "" if name == PROD else f"{name}_"
        return cls(name, *(prefix + layer for layer in LAYERS))

    @property
    def options(self) -> str:
        """Options of every connection to this environment: its role cannot be left by RESET ROLE either."""
        return f"{FIXED_PATH} -c role={safe_role(self.role)}" if self.role else FIXED_PATH

    def render(self, statement: str) -> str:
        """Fill the marks {{ silver }} and so on of an SQL text with this environment's schemas.

        The names come from SAFE_NAME, so quoting them is enough; nothing else is filled in.
        """
        for layer in LAYERS:
            name = str(getattr(self, layer))
            statement = re.sub(r"\{\{\s*" + layer + r"\s*\}\}", safe_name(name, "schema"), statement)
        return statement
