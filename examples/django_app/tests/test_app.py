"""In processes of their own, since a process has one Django."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """if True:
    import asyncio, json, sys
    import django
    django.setup()
    from django.test import AsyncClient, Client
    from instrument.testing import recording

    async def by_asgi():
        return [(await AsyncClient().get(path, headers={"x-reader": "ann"})).status_code for path in sys.argv[2:]]

    def by_wsgi():
        return [Client().get(path, headers={"x-reader": "ann"}).status_code for path in sys.argv[2:]]

    with recording() as tracked:
        statuses = by_wsgi() if sys.argv[1] == "wsgi" else asyncio.run(by_asgi())
    print(json.dumps([statuses, [[event.event, event.user_id, event.properties] for event in tracked.events]]))
"""


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_books_are_lent_to_who_reads_them_and_a_book_that_is_not_there_is_not(interface: str) -> None:
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM, interface, "/shelves/3/emma", "/async/4/emma", "/shelves/3/lost"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "examples.django_app.settings"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(ran.stdout) == [
        [200, 200, 404],
        [
            ["Book Lent", "ann", {"shelf": 3, "title": "emma"}],
            ["Book Lent", "ann", {"shelf": 4, "title": "emma"}],
            ["Book Not Lent", "ann", {"shelf": 3, "title": "lost"}],
        ],
    ]
