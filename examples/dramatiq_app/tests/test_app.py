from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from dramatiq import Worker

from examples.dramatiq_app.app import PictureScaled, PictureScalingFailed, attempts, broker, scale, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder


@pytest.fixture
def worker() -> Iterator[Worker]:
    logging.getLogger("dramatiq").setLevel(logging.CRITICAL)
    attempts.clear()
    worker = Worker(broker, worker_timeout=10, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
    broker.flush_all()
    logging.getLogger("dramatiq").setLevel(logging.NOTSET)


def test_every_picture_is_told_once_of_who_uploaded_it(worker: Worker, tracked: Recorder) -> None:
    for user_id, picture in enumerate(("cat", "slow", "broken", "dog"), start=1):
        upload(user_id, picture)
    broker.join(scale.queue_name, timeout=20_000, fail_fast=False)
    worker.join()

    assert sorted(tracked.of(PictureScaled), key=lambda event: event.user_id) == [
        PictureScaled(user_id=1, picture="cat"),
        PictureScaled(user_id=2, picture="slow"),
        PictureScaled(user_id=4, picture="dog"),
    ]
    assert tracked.of(PictureScalingFailed) == [PictureScalingFailed(user_id=3, picture="broken", error="broken")]
    assert attempts.count("broken") == 3
