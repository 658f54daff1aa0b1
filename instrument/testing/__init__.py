"""For the tests of applications: record what would be sent, or collect what is sent."""

from typing import TYPE_CHECKING, Any

from instrument.testing.recorder import Recorded, Recorder, recording
from instrument.testing.stamps import FixedStamps

if TYPE_CHECKING:
    from instrument.testing.collector import Collector

__all__ = ["Collector", "FixedStamps", "Recorded", "Recorder", "recording"]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: most tests need no server, and `python -m instrument.testing.collector` must
    # not find itself imported already.
    if name != "Collector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from instrument.testing.collector import Collector  # noqa: PLC0415

    return Collector
