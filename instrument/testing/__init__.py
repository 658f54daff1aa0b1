"""For the tests of applications: record what would be sent."""

from instrument.testing.recorder import Recorder, recording

__all__ = ["Recorder", "recording"]
