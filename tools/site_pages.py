"""A hook of mkdocs: the documents of the root are pages too, and links lead where they do in the repository.

README.md is the home page. A link to what is no page, such as a module of an example, is its text alone: the site does
not have it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_ROOT: Final = Path(__file__).parents[1]
_PAGES: Final = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""The documents of the root, and where each is on the site."""
_DOCUMENTS: Final = {page: document for document, page in _PAGES.items()}

_FENCED: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(
    r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])+)\]\((?!\w+:)(?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)"
)
_SOURCE: Final = re.compile(r'(?P<attribute>src|srcset)="(?!\w+:)(?P<target>[^"]+)"')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents of the root."""
    for document, page in _PAGES.items():
        files.append(File.generated(config, page, content=(_ROOT / document).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Turn the links of a document, which are those of the repository, into links of the site."""
    here = page.file.src_uri
    document = _DOCUMENTS.get(here, f"docs/{here}")

    def of_site(target: str) -> File | None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(document), target))
        known = path in _PAGES or path.startswith("docs/")
        return files.get_file_from_path(_PAGES.get(path, path.removeprefix("docs/"))) if known else None

    def linked(match: re.Match[str]) -> str:
        if not (_ROOT / document).parent.joinpath(match["target"]).exists():
            return match[0]  # mkdocs says that it is broken
        file = of_site(match["target"])
        if file is None:
            return match["text"]
        target = posixpath.relpath(file.src_uri, posixpath.dirname(here) or ".")
        return f"[{match['text']}]({target}{match['anchor'] or ''})"

    def shown(match: re.Match[str]) -> str:
        # mkdocs leaves HTML as it is: what stands there is read from the address of the page.
        file = of_site(match["target"])
        return match[0] if file is None else f'{match["attribute"]}="{file.url_relative_to(page.file)}"'

    return _outside_of_fences(markdown, lambda text: _SOURCE.sub(shown, _LINK.sub(linked, text)))


def _outside_of_fences(markdown: str, change: Callable[[str], str]) -> str:
    pieces: list[str] = []
    end = 0
    for fenced in _FENCED.finditer(markdown):
        pieces += [change(markdown[end : fenced.start()]), fenced[0]]
        end = fenced.end()
    return "".join([*pieces, change(markdown[end:])])
