"""What is wrong with a plan, or with the package that is to be written."""

from __future__ import annotations

from instrument.errors import InstrumentError


class PlanFileError(InstrumentError, ValueError):
    """A plan that cannot be read.

    Args:
        where: the file, and the place in it: `plan.json: rules[3].jsonSchema`.
        text: what is wrong there.
    """

    def __init__(self, where: str, text: str) -> None:
        super().__init__(f"{where}: {text}")


class PackageError(InstrumentError):
    """A package that will not be written: something in it would be lost, or cannot be written at all."""


class MissingExtra(InstrumentError, ImportError):
    """A package of the extra `codegen` that is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"This needs {package}, which is not installed: pip install 'instrument-analytics[codegen]'")
