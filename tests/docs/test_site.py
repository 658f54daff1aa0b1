"""The site of the documentation: it is built without a warning, needs no other host, and fits small screens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.docs.documents import ROOT
from tests.sharing import shared_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

_LOADED = re.compile(r'<(?:script|img|source|link rel="stylesheet")[^>]* (?:src|href|srcset)="(?P<address>[^"]+)"')
_CODE_WITHOUT_A_BLOCK = re.compile(r"<p>(?:&gt;&gt;&gt;|```)|<blockquote>")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name of the standard library


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site: built once, whichever of pytest's processes asks first."""
    with shared_directory(tmp_path_factory, "documentation") as shared:
        directory = shared / "site"
        if not directory.exists():
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)]
            environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
            built = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
            )
            assert built.returncode == 0, built.stderr
    return directory


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    loaded = {found["address"] for page in pages for found in _LOADED.finditer(page.read_text(encoding="utf-8"))}
    assert loaded
    assert not {each for each in loaded if ":" in each}


def test_what_a_page_loads_is_on_the_site(site: Path) -> None:
    """Also the pictures that a document shows by HTML, which mkdocs does not look into."""
    for page in site.rglob("*.html"):
        for found in _LOADED.finditer(page.read_text(encoding="utf-8")):
            address = urlsplit(found["address"]).path
            assert (site / address[1:] if address.startswith("/") else page.parent / address).exists(), found[0]


def test_examples_of_docstrings_are_blocks_of_code(site: Path) -> None:
    pages = list(site.glob("reference/*/index.html"))
    assert pages
    assert not [page for page in pages if _CODE_WITHOUT_A_BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", ["", "tutorial/", "design/", "reference/client/", "how-to/kubernetes/"])
def test_a_page_fits_a_small_screen(page: Page, address: str, path: str) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(f"{address}/{path}")
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
