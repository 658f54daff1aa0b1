"""Consent: messages of categories that the user of a request has not agreed to are not sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, Consent, DeclarationError, MemoryDestination, Page, Scope, ScopeError, Track, tracks
from instrument.context import request_scope
from instrument.messages import registry
from instrument.testing import recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ConsentScope(Scope):
    user_id: int


class ConsentNotNeeded(Track, ConsentScope): ...


class ConsentToAds(Track, ConsentScope, consent="advertising"): ...


class ConsentToBoth(Page, ConsentScope, consent=("analytics", "advertising")): ...


@pytest.fixture
def client(tmp_path: Path, memory: MemoryDestination) -> Iterator[Client]:
    client = Client(destinations=[memory], spool_dir=tmp_path)
    yield client
    client.close()


def contents(tmp_path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())


def test_a_message_is_sent_where_the_user_agrees_and_says_so(client: Client, memory: MemoryDestination) -> None:
    with request_scope(user_id=7, consent=Consent(analytics=True, advertising=True)):
        assert client.track(ConsentToAds(user_id=7))
        assert client.page(ConsentToBoth(user_id=7))
        assert client.track(ConsentNotNeeded(user_id=7))
    client.flush()

    consent = {"categoryPreferences": {"analytics": True, "advertising": True}}
    assert [message["context"]["consent"] for message in memory.messages] == [consent] * 3


def test_a_message_of_a_refused_category_is_counted_and_never_spooled(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "instrument"), request_scope(consent=Consent(analytics=True, advertising=False)):
        ads = client.track(ConsentToAds(user_id=7))
        both = client.page(ConsentToBoth(user_id=7))
        assert client.track(ConsentNotNeeded(user_id=7))
    client.flush()

    assert str(ads.error) == "Consent To Ads: the user does not agree to 'advertising'"
    assert not ads
    assert not both
    assert client.stats().refused == {"consent": 2}
    assert client.stats().accepted == 1
    assert b"Consent To" not in contents(tmp_path)
    assert caplog.messages == []


def test_where_nothing_is_known_the_setting_decides(tmp_path: Path, memory: MemoryDestination) -> None:
    refusing = Client(destinations=[memory], spool_dir=tmp_path / "one")
    granting = Client(destinations=[memory], spool_dir=tmp_path / "two", consent_default="granted")

    unknown = refusing.track(ConsentToAds(user_id=7))
    assert granting.track(ConsentToAds(user_id=7))
    with request_scope(consent=Consent(analytics=True)):
        assert not refusing.track(ConsentToAds(user_id=7))
        assert granting.track(ConsentToAds(user_id=7))
    with request_scope(consent=Consent(advertising=False)):
        assert not granting.track(ConsentToAds(user_id=7))

    assert str(unknown.error) == "Consent To Ads: it is not known whether the user agrees to 'advertising'"
    assert (refusing.close(), granting.close()) == (True, True)


def test_a_handler_runs_as_ever_in_strict_mode_too() -> None:
    @tracks(ConsentToAds)
    def handler(user_id: int) -> str:
        return "result"

    with recording() as tracked:
        with request_scope(user_id=7, consent=Consent(advertising=False)):
            assert handler(7) == "result"
        with request_scope(user_id=7, consent=Consent(advertising=True)):
            assert handler(7) == "result"

    assert tracked.messages == [ConsentToAds(user_id=7)]
    assert tracked.client.stats().refused == {"consent": 1}


def test_the_innermost_request_scope_wins() -> None:
    with request_scope(consent=Consent(advertising=True)):
        with request_scope():
            assert request_scope.consent == Consent(advertising=True)
        with request_scope(consent=Consent(advertising=False)):
            assert request_scope.consent == Consent(advertising=False)
        with request_scope.fresh():
            assert request_scope.consent is None
        assert request_scope.consent == Consent(advertising=True)
    assert request_scope.consent is None


def test_it_can_be_assigned_once_it_is_known(client: Client) -> None:
    with request_scope(user_id=7):
        assert not client.track(ConsentToAds(user_id=7))
        request_scope.consent = Consent(advertising=True)
        assert client.track(ConsentToAds(user_id=7))
        assert request_scope.snapshot().run(lambda: request_scope.consent) == Consent(advertising=True)


def test_a_context_of_an_entry_point_keeps_what_is_known_of_consent() -> None:
    from instrument.context import Entry

    with request_scope(consent=Consent(advertising=True)), Entry({}, inherit=True, context={"ip": "127.0.0.1"}):
        assert request_scope.consent == Consent(advertising=True)


def test_the_context_of_a_message_itself_counts_too(client: Client) -> None:
    refused: Any = {"consent": {"categoryPreferences": {"advertising": False}}}

    with request_scope(consent=Consent(advertising=True)):
        assert not client.track(ConsentToAds(user_id=7), context=refused)
    for nonsense in ({"consent": "yes"}, {"consent": {"categoryPreferences": ["advertising"]}}):
        assert not client.track(ConsentToAds(user_id=7), context=nonsense)


def test_classes_have_the_consent_of_their_abstract_base() -> None:
    with registry.isolated():

        class Ads(Track, ConsentScope, abstract=True, consent="advertising"): ...

        class AdClicked(Ads): ...

        class AdBlocked(Ads, consent=()): ...

    assert AdClicked.__conditions__.consent == ("advertising",)
    assert AdBlocked.__conditions__.consent == ()


def test_what_is_no_consent_is_refused_in_strict_mode() -> None:
    with recording(), pytest.raises(ScopeError, match="a Consent is expected, not dict"):
        request_scope(consent={"advertising": True})


def test_assigning_outside_of_a_request_scope_is_refused_in_strict_mode() -> None:
    with recording(), pytest.raises(ScopeError, match="no request scope is open"):
        request_scope.consent = Consent()


def test_a_scope_cannot_have_a_field_of_this_name() -> None:
    with pytest.raises(DeclarationError, match="a field cannot have this name"):

        class _(Scope):
            consent: str
