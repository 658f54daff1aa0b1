from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples.flask_app.app import AlbumDownloadBroken, AlbumDownloaded, PhotoAdded, PhotoRefused, app

if TYPE_CHECKING:
    from instrument.testing import Recorder

HEADERS = {"X-User": "ann"}


def test_a_photo_is_added_to_the_album_of_who_is_signed_in(tracked: Recorder) -> None:
    assert app.test_client().post("/albums/alps", data=b"GIF89a", headers=HEADERS).json == {"bytes": 6}
    assert tracked.events == [PhotoAdded(user_id="ann", album="alps", bytes=6)]


def test_what_is_no_photo_is_refused(tracked: Recorder) -> None:
    assert app.test_client().post("/albums/alps", data=b"text", headers=HEADERS).status_code == 415
    assert tracked.events == [PhotoRefused(user_id="ann", album="alps", status=415)]


def test_an_album_was_downloaded_when_the_last_photo_was_sent(tracked: Recorder) -> None:
    response = app.test_client().get("/albums/alps", headers=HEADERS)
    assert tracked.events == []
    assert response.data == b"GIF oneGIF two"
    assert tracked.events == [AlbumDownloaded(user_id="ann", album="alps")]


def test_a_download_that_breaks_off_has_failed(tracked: Recorder) -> None:
    response = app.test_client().get("/albums/torn", headers=HEADERS)
    with pytest.raises(OSError, match="the disk is gone"):
        assert response.data
    assert tracked.events == [AlbumDownloadBroken(user_id="ann", album="torn")]
