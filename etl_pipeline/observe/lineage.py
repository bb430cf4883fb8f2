"""OpenLineage events of a run: begun, done, failed; sent beside the run, which does not fail for them."""

import logging
import queue
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from etl_pipeline.core.log import printable
from etl_pipeline.core.settings import redact

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, RunEvent

log = logging.getLogger(__name__)
PRODUCER = "https://pypi.org/project/systock/"
LONGEST_CALL = 3.0
LONGEST_FAREWELL = 5.0
MOST_MESSAGE = 2_000
State = Literal["START", "COMPLETE", "FAIL", "ABORT"]


@dataclass(frozen=True)
class Dataset:
    """A data set as OpenLineage names it.

    Attributes:
        namespace: where it lies.
        name: which one.
        files: files of it that the run read; None where nobody counted.
    """

    namespace: str
    name: str
    files: int | None = None


@dataclass(frozen=True)
class RunTraced:
    """What an event says of a run.

    Attributes:
        run_id: 32 hexadecimal digits.
        namespace: of the job.
        job: its name.
        inputs: what it reads.
        outputs: what it writes.
        message: why it failed, for people.
    """

    run_id: str
    namespace: str
    job: str
    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()
    message: str = ""


def event_of(state: State, run: RunTraced, at: datetime) -> "RunEvent":
    """Return an event as the client of OpenLineage has it.

    Args:
        state: what became of the run.
        run: what is said of it.
        at: when.
    """
    from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import RunFacet, error_message_run

    facets: dict[str, RunFacet] = {}
    if run.message:
        message = printable(redact(run.message))[:MOST_MESSAGE]
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message, "python")
    return RunEvent(
        eventType=RunState[state], eventTime=at.isoformat(), producer=PRODUCER,
        run=Run(str(uuid.UUID(run.run_id)), facets), job=Job(run.namespace, run.job),
        inputs=[_read(data) for data in run.inputs],
        outputs=[OutputDataset(data.namespace, data.name) for data in run.outputs],
    )  # fmt: skip


def _read(data: Dataset) -> "InputDataset":
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as quality

    if data.files is None:
        return InputDataset(data.namespace, data.name)
    facet = quality.DataQualityMetricsInputDatasetFacet({}, fileCount=data.files)
    return InputDataset(data.namespace, data.name, {"dataQualityMetrics": facet})


class Emitter:
    """Sends events in their order from a thread of its own; what cannot be sent is noted in the log and dropped."""

    def __init__(self, address: str, api_key: str = "") -> None:
        """Send nothing yet.

        Args:
            address: of a collector (http, https), or a file that grows by a line an event (file).
            api_key: what the collector wants to see, if anything.
        """
        self._address = address
        self._api_key = api_key
        self._events: queue.Queue[tuple[State, RunTraced, datetime] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def emit(self, state: State, run: RunTraced, at: datetime) -> None:
        """Hand an event over; it is sent beside the run."""
        if self._thread.ident is None:
            self._thread.start()
        self._events.put((state, run, at))

    def close(self, seconds: float = LONGEST_FAREWELL) -> None:
        """Wait until all is sent, for so long at most."""
        if self._thread.ident is None:
            return
        self._events.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            log.warning("OpenLineage: the collector is too slow; the last events of this run may be missing there.")

    def _work(self) -> None:
        while (told := self._events.get()) is not None:
            try:
                self._send(event_of(*told))
            except Exception as error:  # whatever a collector or the client does, the run goes on
                said = printable(redact(str(error)))[:200]
                log.warning("OpenLineage: %s could not be sent: %s: %s", told[0], type(error).__name__, said)

    def _send(self, event: "RunEvent") -> None:
        from openlineage.client.serde import Serde

        if self._address.lower().startswith("file:"):
            with Path(unquote(urlsplit(self._address).path)).open("a", encoding="utf-8") as file:
                file.write(Serde.to_json(event) + "\n")
            return
        import requests
        from openlineage.client.transport.http import (
            ApiKeyTokenProvider,
            HttpConfig,
            HttpTransport,
            TokenProvider,
        )

        auth = ApiKeyTokenProvider({"api_key": self._api_key}) if self._api_key else TokenProvider({})
        with requests.Session() as session:
            session.max_redirects = 0  # the key is for this collector, and for no other host
            config = HttpConfig(
                self._address, timeout=LONGEST_CALL, auth=auth, session=session, retry={"total": 0, "connect": 0}
            )
            HttpTransport(config).emit(event)
