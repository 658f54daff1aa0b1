"""Message ids are unique, sorted by time, and of a standard form; times are what Segment reads."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from textwrap import dedent
from time import time_ns
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given

from instrument.stamps import Stamps, format_time
from tests.strategies import moments


class TestIds:
    def test_are_uuids_of_version_7_with_the_time_of_now(self) -> None:
        stamps = Stamps()
        before = time_ns() // 1_000_000
        ids = [UUID(stamps.next()[0]) for _ in range(100)]
        after = time_ns() // 1_000_000
        assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}
        assert all(before <= each.int >> 80 <= after for each in ids)

    def test_are_written_as_uuids_are(self) -> None:
        message_id, _ = Stamps().next()
        assert str(UUID(message_id)) == message_id

    def test_are_never_repeated(self) -> None:
        stamps = Stamps()
        assert len({stamps.next()[0] for _ in range(50_000)}) == 50_000

    def test_are_never_repeated_by_several_threads(self) -> None:
        stamps = Stamps()
        with ThreadPoolExecutor(8) as pool:
            ids = [
                each
                for several in pool.map(lambda _: [stamps.next()[0] for _ in range(2_000)], range(8))
                for each in several
            ]
        assert len(set(ids)) == 16_000

    def test_are_never_repeated_by_several_clients(self) -> None:
        one, other = Stamps(), Stamps()
        assert not {one.next()[0] for _ in range(5_000)} & {other.next()[0] for _ in range(5_000)}

    def test_have_times_that_do_not_go_back(self) -> None:
        stamps = Stamps()
        times = [UUID(stamps.next()[0]).int >> 80 for _ in range(5_000)]
        assert all(one <= next_one for one, next_one in pairwise(times))

    def test_are_not_what_a_seed_makes_them(self) -> None:
        """Test suites seed the shared generator, and receivers drop messages with equal ids."""

        def first() -> str:
            random.seed(17)
            return Stamps().next()[0][9:]

        assert first() != first()

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
    def test_are_not_those_of_the_parent_in_a_forked_child(self) -> None:
        script = """
            import os, sys
            from instrument.stamps import Stamps
            stamps = Stamps()
            stamps.next()
            reading, writing = os.pipe()
            if os.fork() == 0:
                os.write(writing, "\\n".join(stamps.next()[0] for _ in range(500)).encode())
                os._exit(0)
            os.wait()
            os.close(writing)
            with open(reading) as pipe:
                child = set(pipe.read().split())
            parent = {stamps.next()[0] for _ in range(500)}
            assert len(child) == len(parent) == 500
            # Without the time, which may be the same: not even what is random is shared.
            assert not {each[14:] for each in child} & {each[14:] for each in parent}
        """
        subprocess.run([sys.executable, "-c", dedent(script)], check=True, timeout=60)


class TestTimes:
    def test_are_of_now_in_utc_with_milliseconds(self) -> None:
        before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
        _, timestamp = Stamps().next()
        after = datetime.now(timezone.utc)
        assert before <= datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%f%z") <= after

    def test_are_those_of_the_ids(self) -> None:
        message_id, timestamp = Stamps().next()
        milliseconds = UUID(message_id).int >> 80
        assert timestamp == format_time(
            datetime.fromtimestamp(milliseconds // 1000, timezone.utc) + timedelta(milliseconds=milliseconds % 1000)
        )

    @pytest.mark.parametrize(
        ("time", "text"),
        [
            (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05.000Z"),  # noqa: DTZ001 - without a zone is the case
            (datetime(2026, 1, 2, 3, 4, 5, 999_999, timezone.utc), "2026-01-02T03:04:05.999Z"),
            (
                datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30))),
                "2026-01-01T21:34:05.000Z",
            ),
            (datetime(1970, 1, 1, tzinfo=timezone.utc), "1970-01-01T00:00:00.000Z"),
            (datetime(999, 1, 1, tzinfo=timezone.utc), "0999-01-01T00:00:00.000Z"),
        ],
    )
    def test_are_written_in_utc(self, time: datetime, text: str) -> None:
        assert format_time(time) == text

    @given(moments)
    def test_read_back_are_the_same_to_the_millisecond(self, time: datetime) -> None:
        read = datetime.strptime(format_time(time), "%Y-%m-%dT%H:%M:%S.%f%z")
        assert timedelta(0) <= time - read < timedelta(milliseconds=1)
