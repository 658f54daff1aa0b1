"""What JSON is made of, told apart with types, and a document of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

if TYPE_CHECKING:
    from typing_extensions import TypeIs


def is_object(value: object) -> TypeIs[dict[str, Any]]:
    """Whether a value out of JSON is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeIs[list[Any]]:
    """Whether a value out of JSON is a list."""
    return isinstance(value, list)


def is_texts(value: object) -> TypeIs[list[str]]:
    """Whether a value out of JSON is a list of texts."""
    return is_list(value) and all(isinstance(each, str) for each in value)


def written(value: object) -> str:
    """Return a value as the text of a file that people read too.

    >>> print(written({"name": "Größe", "kinds": []}))
    {
      "name": "Größe",
      "kinds": []
    }
    <BLANKLINE>
    """
    return to_json(value, indent=2).decode() + "\n"
