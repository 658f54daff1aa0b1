from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instrument.delivery.said import Said

if TYPE_CHECKING:
    import pytest

log = logging.getLogger("instrument.tests.said")


def test_one_line_of_a_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    said = Said(log)
    for number in range(5):
        said.warn("a", "first %s", number)
        said.warn("b", "second %s", number)
    assert caplog.messages == ["first 0", "second 0"]


def test_those_left_out_are_counted_in_the_next_line(caplog: pytest.LogCaptureFixture) -> None:
    said = Said(log, interval=0.05)
    for _ in range(3):
        said.warn("a", "again")
    while len(caplog.messages) < 2:
        said.warn("a", "again")
    assert caplog.messages[0] == "again"
    assert caplog.messages[1].startswith("again (")
    assert caplog.messages[1].endswith(" more like this since the last such line)")


def test_a_filter_of_the_application_that_raises_does_no_harm() -> None:
    def raises(_: logging.LogRecord) -> bool:
        raise ValueError

    log.addFilter(raises)
    try:
        Said(log).warn("a", "unheard")
    finally:
        log.removeFilter(raises)
