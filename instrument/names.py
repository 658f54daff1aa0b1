"""Event names out of class names."""

from __future__ import annotations

import re

# Over the shape of a name: U an upper-case letter, d a digit, _ an underscore, l anything else.
# A word is a capitalised run with its trailing digits, or an acronym that ends before the next capitalised run.
_WORD = re.compile(r"U?l+d*|[Ud]+(?=Ul)|[Ud]+")


def words(name: str) -> list[str]:
    """Split an identifier at its capitals, keeping acronyms whole.

    >>> words("AWSLoginRedirect")
    ['AWS', 'Login', 'Redirect']
    >>> words("S3BucketCreate")
    ['S3', 'Bucket', 'Create']
    """
    shape = "".join(map(_shape, name))
    return [name[match.start() : match.end()] for match in _WORD.finditer(shape)]


def event_name(class_name: str) -> str:
    """Return the event name of a class named `[Noun][Verb][Subverb]`.

    >>> event_name("ClusterProvisioningSuccess")
    'Cluster Provisioning Success'
    """
    return " ".join(words(class_name))


def _shape(character: str) -> str:
    if character == "_":
        return "_"
    if character.isupper():
        return "U"
    return "d" if character.isdigit() else "l"
