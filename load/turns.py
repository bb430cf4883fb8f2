"""One worker beside the reader: while a chunk is on its way to the server, the next one is read and conformed."""

import queue
import threading
from collections.abc import Callable


class Turns:
    """Does jobs one after the other in a thread of its own; whoever needs their outcome waits for them."""

    def __init__(self) -> None:
        """No thread yet: small loads never need one."""
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None

    def do_later(self, job: Callable[[], None]) -> None:
        """Have a job done beside the caller's own work, after the job before it: two chunks are in memory, no more.

        Raises what the job before it raised.
        """
        self.wait()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="copying", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def wait(self) -> None:
        """Wait until all jobs are done; raise what one of them raised."""
        if self._thread is None or self._thread is threading.current_thread():
            return
        self._jobs.join()
        self._raise()

    def end(self) -> None:
        """End the thread when its jobs are done, whatever came of them."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _raise(self) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                if job is None:
                    return
                if self._failed is None:  # what comes after a failure would be done on a broken transaction
                    job()
            except BaseException as error:
                self._failed = error
            finally:
                job = None  # what it holds is a chunk
                self._jobs.task_done()
