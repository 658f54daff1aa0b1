"""The words of names: verbs and their tense, the case that a name is written in, and whether two names are nearly one.

There is no dictionary behind it, but a short list of the verbs that events are named by, and how English ends words.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from instrument.names import words

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

OUTCOMES: Final = frozenset({"error", "errors", "fail", "failure", "success"})
"""Nouns that end the name of an event that tells how something ended."""
_NOUNS_OF_BEGINNING: Final = frozenset({"begin", "start"})
BEGINNINGS: Final = frozenset({"began", "begin", "begun", "start", "started", "starting"})
"""Words that end the name of an event by which something begins."""

_VERBS_TEXT = """
abort accept activate add apply approve archive assign attach attempt authenticate authorize ban begin block book
buy call cancel change charge check checkout clear click close complete configure confirm connect consent convert
copy create deactivate decline delete deliver deploy destroy detach disable disconnect dismiss display download drop
edit enable end enter execute exit expire export fail fetch filter finish fix follow generate get give grant hide
identify import increase install invite join keep launch leave like link list load lock login logout lose make merge
move mute open order pause pay pick place play post press print process provision publish pull purchase push rate
read receive record redeem redirect refresh refund register reject release remind remove rename renew reopen replace
reply report request reset resize resolve restart restore resume retry return review revoke rotate run save scale
schedule scroll search select send set share ship show sign signin signout signup skip sort split start stop submit
subscribe suspend swipe switch sync tag tap test toggle track transfer trigger unblock undo unfollow uninstall
unlink unlock unsubscribe update upgrade upload use validate verify view visit vote watch withdraw write
"""
_VERBS: Final = frozenset(_VERBS_TEXT.split())
_PAST_TEXT = """
begun bought broken built caught chosen done drawn driven fallen felt found frozen given gone held kept known left
lost made met paid sent shown sold spent spoken stolen sworn taken taught thrown told understood withdrawn won worn
written
"""
_PAST: Final = frozenset(_PAST_TEXT.split())
# The same in every tense, so that they tell none.
_TENSELESS: Final = frozenset({"cut", "hit", "let", "put", "read", "reset", "set", "shut", "split"})
_NO_PARTICIPLES: Final = frozenset({"bed", "embed", "exceed", "feed", "need", "red", "seed", "shed", "speed", "wed"})
_SMALL_WORDS: Final = frozenset(
    {"a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "via", "with"}
)
_SHORT = 4
_LONG = 7
_PARTS = re.compile(r"[^\w]+|_")


class Tense(str, Enum):
    """The form of a verb in a name."""

    PAST = "past"
    PRESENT = "present"


def name_words(name: str) -> list[str]:
    """Return the words of a name in lower case, whatever separates them.

    >>> name_words("Invoice paid"), name_words("invoice_paid"), name_words("invoicePaid")
    (['invoice', 'paid'], ['invoice', 'paid'], ['invoice', 'paid'])
    """
    return [word.lower() for part in _PARTS.split(name) if part for word in words(part)]


def is_verb(word: str, more: Collection[str] = ()) -> bool:
    """Whether a word in lower case can be the verb of an event's name, or the noun of its outcome.

    >>> is_verb("paid"), is_verb("provisioning"), is_verb("verify"), is_verb("success"), is_verb("invoice")
    (True, True, True, True, False)
    """
    return word in OUTCOMES or word in more or _is_progressive(word) or word in _VERBS or tense_of(word) is not None


def tense_of(word: str, more: Collection[str] = ()) -> Tense | None:
    """Return the tense of a word in lower case; `None` where it is no verb, or one that has no tense.

    >>> tense_of("paid"), tense_of("created"), tense_of("create"), tense_of("invoice"), tense_of("reset")
    (<Tense.PAST: 'past'>, <Tense.PAST: 'past'>, <Tense.PRESENT: 'present'>, None, None)
    """
    if word in _TENSELESS:
        return None
    if word in _PAST or (word.endswith("ed") and len(word) >= _SHORT and word not in _NO_PARTICIPLES):
        return Tense.PAST
    return Tense.PRESENT if word in _VERBS or word in more else None


def tense_of_name(name: str, more: Collection[str] = ()) -> Tense | None:
    """Return the tense of an event's name: that of its last verb, `None` where the name ends with an outcome.

    >>> tense_of_name("User Verified Email"), tense_of_name("Cluster Provisioning Success")
    (<Tense.PAST: 'past'>, None)
    """
    found = name_words(name)
    if found and found[-1] in OUTCOMES | _NOUNS_OF_BEGINNING:
        return None
    # Not the first word, which is the noun: an order is placed.
    tenses = (tense_of(word, more) for word in reversed(found[1:]))
    return next((each for each in tenses if each is not None), None)


def cases(name: str) -> frozenset[str]:
    """Return the ways of writing that a name is an example of.

    >>> sorted(cases("Invoice Paid")), sorted(cases("invoice_paid")), sorted(cases("Signup"))
    (['Title Case'], ['snake_case'], ['PascalCase', 'Sentence case', 'Title Case'])
    """
    return frozenset(case for case, pattern in _CASES.items() if pattern.fullmatch(name)) | _cases_of_words(name)


_CASES: Final = {
    "snake_case": re.compile(r"[^\W_A-Z]+(_[^\W_A-Z]+)*"),
    "camelCase": re.compile(r"[^\W_A-Z]+([A-Z][^\W_]*)*"),
    "PascalCase": re.compile(r"([A-Z][^\W_]*)+"),
    "kebab-case": re.compile(r"[^\W_A-Z]+(-[^\W_A-Z]+)*"),
    "UPPER_CASE": re.compile(r"[^\W_a-z]{2,}(_[^\W_a-z]+)*"),
}


def _cases_of_words(name: str) -> frozenset[str]:
    parts = name.split(" ")
    if not all(part and re.fullmatch(r"[^\W_]([^\W_]|['’.&/-])*", part) for part in parts):  # noqa: RUF001
        return frozenset()
    capital = [not part[0].islower() for part in parts]
    found: set[str] = set()
    if all(has or part in _SMALL_WORDS for has, part in zip(capital[1:], parts[1:], strict=True)) and capital[0]:
        found.add("Title Case")
    # An acronym keeps its capitals in a sentence.
    if capital[0] and all(part.islower() or part.isupper() or not part.isalpha() for part in parts[1:]):
        found.add("Sentence case")
    if not any(capital):
        found.add("lower case")
    return frozenset(found)


def nearly_one(one: str, other: str) -> bool:
    """Whether two names differ by no more than the form of their words, or by one slip in a long word.

    >>> nearly_one("Order Complete", "Orders Completed"), nearly_one("Signup", "Sign Up")
    (True, True)
    >>> nearly_one("Payment Recieved", "Payment Received"), nearly_one("Step 1", "Step 2")
    (True, False)
    """
    first, second = name_words(one), name_words(other)
    if "".join(map(_stem, first)) == "".join(map(_stem, second)):
        return True
    return len(first) == len(second) and _is_one_slip(first, second)


def _is_one_slip(first: Sequence[str], second: Sequence[str]) -> bool:
    different = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    if len(different) != 1:
        return False
    a, b = different[0]
    if min(len(a), len(b)) < _LONG or a[0] != b[0]:
        return False
    return _swapped(a, b) or _left_out(a, b) or _left_out(b, a)


def _swapped(one: str, other: str) -> bool:
    """Whether two letters that stand together changed their places."""
    places = [index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    if len(one) != len(other) or len(places) != 2 or places[1] - places[0] != 1:  # noqa: PLR2004
        return False
    first, second = places
    return one[first] == other[second] and one[second] == other[first]


def _left_out(shorter: str, longer: str) -> bool:
    return len(longer) - len(shorter) == 1 and any(
        longer[:index] + longer[index + 1 :] == shorter for index in range(len(longer))
    )


def _is_progressive(word: str) -> bool:
    return word.endswith("ing") and len(word) > _SHORT + 1


def _stem(word: str) -> str:
    """Return a word without what English adds to it: a plural, a tense."""
    for ending in ("ied", "ies"):
        if word.endswith(ending) and len(word) > _SHORT:
            return word.removesuffix(ending) + "y"
    for ending in ("ing", "ed", "es", "s", "e"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORT - 1 and not (ending == "s" and stem.endswith("s")):
            return _undoubled(stem)
    return word


def _undoubled(stem: str) -> str:
    """Return `stop` for `stopp`: a consonant is doubled before an ending."""
    doubled = stem[-1] == stem[-2] and stem[-1] not in "aeioulsz"
    return stem[:-1] if doubled else stem
