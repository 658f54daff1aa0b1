"""A survey is sent in its own shape, and checked as events are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from examples.own_spec.surveys import OnboardingSurvey, answer
from instrument import Refusal, request_scope

if TYPE_CHECKING:
    from instrument.testing import Recorder


def test_an_answer_is_sent_in_the_shape_of_its_call(tracked: Recorder) -> None:
    with request_scope(user_id=7):
        answer("s1", 5)
    assert tracked.messages == [OnboardingSurvey(user_id=7, survey_id="s1", score=5)]
    envelope = json.loads(tracked.envelopes[0].body)
    assert {key: envelope[key] for key in ("type", "name", "userId", "surveyId", "properties")} == {
        "type": "survey",
        "name": "Onboarding Survey",
        "userId": "7",
        "surveyId": "s1",
        "properties": {"score": 5},
    }


def test_an_answer_of_nobody_is_refused(tracked: Recorder) -> None:
    with pytest.raises(Refusal, match="field 'user_id': Field required"):
        answer("s1", 5)
    assert tracked.messages == []
