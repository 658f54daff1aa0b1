"""The rules of the linter, each a function that yields what it finds.

The codes: IP1xx names, IP2xx documentation, IP3xx types, IP4xx personal data, IP5xx emission, IP0xx comments to the
linter itself (in `instrument.plan.lint`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, TypeVar

from instrument.plan.linted import Finding
from instrument.plan.schema_changes import has_any, value_type
from instrument.plan.wording import (
    BEGINNINGS,
    OUTCOMES,
    Tense,
    cases,
    is_verb,
    name_words,
    nearly_one,
    tense_of_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from instrument.plan.linted import Linted, LintedField, LintedMessage
    from instrument.plan.model import PlannedMessage

    Check = Callable[[Linted], Iterator[Finding]]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        code: what it is known by.
        summary: what it forbids.
        check: finds it.
    """

    code: str
    summary: str
    check: Check


def _shape(linted: Linted) -> Iterator[Finding]:
    more = frozenset(map(str.lower, linted.settings.verbs))
    for each in linted.tracks:
        found = name_words(each.planned.class_name)
        name = each.planned.class_name
        if len(found) == 1:
            text = f"{name} is one word: name the noun that something happens to, and then the verb, as OrderPlaced"
        elif any(is_verb(word, more) for word in found[1:]):
            continue
        elif is_verb(found[0], more):
            text = f"{name} begins with its verb: the noun comes first, as OrderPlaced"
        else:
            text = f"{name} has no verb: [Noun][Verb], as OrderPlaced. A verb that is not known goes into `verbs`"
        yield Finding("IP101", each, text)


def _tense(linted: Linted) -> Iterator[Finding]:
    more = frozenset(map(str.lower, linted.settings.verbs))
    named = [(each, tense_of_name(each.planned.title, more)) for each in linted.tracks]
    tenses = [(each, tense) for each, tense in named if tense is not None]
    chosen = linted.settings.tense
    wanted = _most(tense for _, tense in tenses) if chosen == "majority" else Tense(chosen)
    for each, tense in tenses:
        if wanted is not None and tense is not wanted:
            yield Finding(
                "IP102", each, f'"{each.planned.title}" is in the {tense.value} tense, not in the {wanted.value}'
            )


def _case_of_names(linted: Linted) -> Iterator[Finding]:
    named = [each for each in linted.messages if each.planned.name is not None]
    for each, wanted in _unlike(named, lambda each: each.planned.title):
        yield Finding("IP103", each, f'"{each.planned.title}" is not in {wanted}, as most names are')


def _case_of_keys(linted: Linted) -> Iterator[Finding]:
    for each, wanted in _unlike(linted.fields, lambda each: each.planned.key):
        yield Finding("IP104", each, f'the key "{each.planned.key}" is not in {wanted}, as most keys are')


def _near_names(linted: Linted) -> Iterator[Finding]:
    for one, other in combinations(sorted(linted.tracks, key=lambda each: each.planned.title), 2):
        if nearly_one(one.planned.title, other.planned.title):
            where = f'"{one.planned.title}" ({one.located.place})'
            yield Finding("IP105", other, f'"{other.planned.title}" is nearly the name of {where}: are they one event?')


def _undocumented(linted: Linted) -> Iterator[Finding]:
    for each in linted.messages:
        if not each.planned.doc:
            yield Finding("IP201", each, f"{each.planned.class_name} has no docstring: say when it is emitted")


def _untyped(linted: Linted) -> Iterator[Finding]:
    for each in linted.fields:
        if has_any(each.planned.schema_, _definitions(each)):
            yield Finding("IP301", each, f"{each.title} may hold anything: give it a type")


def _two_types(linted: Linted) -> Iterator[Finding]:
    by_key: dict[str, list[tuple[LintedField, str]]] = {}
    for each in linted.fields:
        by_key.setdefault(each.planned.key, []).append((each, value_type(each.planned.schema_, _definitions(each))))
    for key, found in by_key.items():
        usual = _most(text for each, text in found for _ in each.messages)
        first = next(each for each, text in found if text == usual)
        for each, text in found:
            if text != usual:
                text = f'"{key}" is {text} in {each.title}, and {usual} in {first.title} ({first.located.place})'  # noqa: PLW2901
                yield Finding("IP302", each, text)


def _personal(linted: Linted) -> Iterator[Finding]:
    more = frozenset(map(str.lower, linted.settings.pii_names))
    for each in linted.fields:
        looks_like = _personal_word(each, more)
        if looks_like is not None and not each.planned.pii:
            text = f'{each.title} looks like personal data ("{looks_like}"): mark it, Annotated[…, PII("{looks_like}")]'
            yield Finding("IP401", each, text)


def _never_emitted(linted: Linted) -> Iterator[Finding]:
    for each in linted.messages:
        if not each.planned.emissions and not each.planned.deprecated:
            yield Finding("IP501", each, f"{each.planned.class_name} is declared, and emitted nowhere")


def _without_end(linted: Linted) -> Iterator[Finding]:
    for each, ends in _starts(linted):
        if not ends:
            text = (
                f"{each.planned.class_name} tells of a start, and nothing tells of its end: neither success nor failure"
            )
            yield Finding("IP502", each, text)


def _with_one_end(linted: Linted) -> Iterator[Finding]:
    for each, ends in _starts(linted):
        if len(ends) == 1:
            (end,) = ends
            other = "failure" if end == "success" else "success"
            text = f"{each.planned.class_name} tells of a start, whose {end} is told and whose {other} is not"
            yield Finding("IP503", each, text)


RULES: Final = (
    Rule("IP101", "an event whose class is not named by a noun and a verb", _shape),
    Rule("IP102", "a name in another tense than the others", _tense),
    Rule("IP103", "a name that is written in another case than the others", _case_of_names),
    Rule("IP104", "a key that is written in another case than the others", _case_of_keys),
    Rule("IP105", "two names that are nearly one", _near_names),
    Rule("IP201", "a message without a docstring", _undocumented),
    Rule("IP301", "a property without a type", _untyped),
    Rule("IP302", "a property that has another type in another message", _two_types),
    Rule("IP401", "a property that looks like personal data, and is not marked", _personal),
    Rule("IP501", "a message that is emitted nowhere", _never_emitted),
    Rule("IP502", "a start without an end", _without_end),
    Rule("IP503", "a start with one end of two", _with_one_end),
)


def _unlike(items: Sequence[T], name: Callable[[T], str]) -> Iterator[tuple[T, str]]:
    """Find the names that are not written in the case that most are written in."""
    possible = [(each, cases(name(each))) for each in items]
    wanted = _most(case for _, found in possible for case in sorted(found))
    if wanted is not None:
        yield from ((each, wanted) for each, found in possible if wanted not in found)


def _most(values: Iterable[T]) -> T | None:
    """Return what there is most of; of several, the first."""
    return next((value for value, _ in Counter(values).most_common(1)), None)


def _definitions(field: LintedField) -> dict[str, Any]:
    return field.messages[0].planned.definitions


# Words of a key, one after the other, that look like personal data; the category of the mark that is proposed.
_PERSONAL: Final = {
    ("email",): "email",
    ("mail", "address"): "email",
    ("e", "mail"): "email",
    ("phone",): "phone",
    ("telephone",): "phone",
    ("mobile",): "phone",
    ("msisdn",): "phone",
    ("first", "name"): "name",
    ("last", "name"): "name",
    ("full", "name"): "name",
    ("middle", "name"): "name",
    ("user", "name"): "name",
    ("display", "name"): "name",
    ("username",): "name",
    ("surname",): "name",
    ("firstname",): "name",
    ("lastname",): "name",
    ("fullname",): "name",
    ("address",): "address",
    ("street",): "address",
    ("postcode",): "address",
    ("postal", "code"): "address",
    ("zip", "code"): "address",
    ("zipcode",): "address",
    ("latitude",): "location",
    ("longitude",): "location",
    ("geolocation",): "location",
    ("ip",): "ip",
    ("birthday",): "birth",
    ("birthdate",): "birth",
    ("birth", "date"): "birth",
    ("date", "of", "birth"): "birth",
    ("dob",): "birth",
    ("gender",): "gender",
    ("ethnicity",): "ethnicity",
    ("religion",): "religion",
    ("ssn",): "government_id",
    ("social", "security"): "government_id",
    ("passport",): "government_id",
    ("tax", "id"): "government_id",
    ("license", "plate"): "government_id",
    ("iban",): "bank",
    ("account", "number"): "bank",
    ("card", "number"): "card",
    ("credit", "card"): "card",
    ("cvv",): "card",
    ("password",): "secret",
    ("passphrase",): "secret",
    ("secret",): "secret",
    ("api", "key"): "secret",
    ("access", "token"): "secret",
    ("auth", "token"): "secret",
    ("cookie",): "secret",
    ("user", "agent"): "device",
    ("device", "id"): "device",
    ("mac", "address"): "device",
}
# A number of addresses, or whether one is verified, is nobody's address.
_ABOUT: Final = frozenset(
    {"count", "domain", "enabled", "has", "is", "kind", "provider", "status", "type", "valid", "verified", "version"}
)


def _personal_word(field: LintedField, more: frozenset[str]) -> str | None:
    found = name_words(field.planned.key)
    if value_type(field.planned.schema_, _definitions(field)) == "boolean" or not _ABOUT.isdisjoint(found):
        return None
    known = {**_PERSONAL, **{tuple(name_words(each)): "_".join(name_words(each)) for each in more}}
    for length in (3, 2, 1):  # the longest first: a MAC address is no postal one
        for start in range(len(found) - length + 1):
            category = known.get(tuple(found[start : start + length]))
            if category is not None:
                return category
    return None


def _starts(linted: Linted) -> Iterator[tuple[LintedMessage, set[str]]]:
    """Find the messages that tell of a start, each with the ends that are told of: success, failure."""
    ends_of_handlers: dict[str, set[str]] = {}
    for each in linted.messages:
        for emission in each.planned.emissions:
            if emission.moment in ("success", "failure"):
                ends_of_handlers.setdefault(emission.handler, set()).add(emission.moment)
    for each in linted.tracks:
        handlers = [emission.handler for emission in each.planned.emissions if emission.moment == "start"]
        begun = _begun(each.planned)
        if handlers or begun is not None:
            ends = set[str]().union(*(ends_of_handlers.get(handler, set()) for handler in handlers))
            yield each, ends | _ends_by_name(begun, linted.tracks)


def _begun(message: PlannedMessage) -> tuple[str, ...] | None:
    """Return what begins, by the name of the class; `None` where it is not one of a beginning."""
    found = name_words(message.class_name)
    return tuple(found[:-1]) if len(found) > 1 and found[-1] in BEGINNINGS else None


def _ends_by_name(begun: tuple[str, ...] | None, messages: Iterable[LintedMessage]) -> set[str]:
    """Find the ends that another handler tells of, such as that of a webhook: by the same words before the last."""
    found: set[str] = set()
    for each in messages:
        *what, last = name_words(each.planned.class_name)
        if begun is not None and tuple(what) == begun and last not in BEGINNINGS:
            failed = last in OUTCOMES - {"success"} or last in (
                "failed",
                "aborted",
                "cancelled",
                "canceled",
                "rejected",
            )
            found.add("failure" if failed else "success")
    return found
