"""Errors: the type says what the run does next, the text says what, how many, and what to do."""


class WarehouseError(Exception):
    """Base of every error of ours. Its text is written for a person and ends with what to do."""


class StopRunError(WarehouseError):
    """Nothing downstream may run; a person must look."""


class RetryStepError(WarehouseError):
    """The same input may work in a minute: network, lock, rate limit."""


class UsageError(WarehouseError):
    """The command or a contract is wrong; nothing was loaded."""


class SetAsideError(WarehouseError):
    """This file goes to quarantine whole and is reported; the run carries on.

    Args:
        reason: code of REASONS in etl_pipeline.core.reasons.
        sentence: what is wrong and what to do, for a person.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        """Keep the reason code beside the sentence."""
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence

    def __reduce__(self) -> tuple[type["SetAsideError"], tuple[str, str]]:
        """Travel between processes with both: Python would give back the sentence alone."""
        return type(self), (self.reason, self.sentence)
