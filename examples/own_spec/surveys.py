"""Surveys: a call that the Segment spec does not have, with an id of its own and a decorator.

`{"type": "survey", "name": "Onboarding Survey", "userId": "7", "surveyId": "s1", "properties": {"score": 5}, …}`
"""

from __future__ import annotations

from instrument import Message, Scope, Spec, SpecDecorator


class Survey(Message, abstract=True):
    """An answered survey."""

    __segment_spec__ = Spec("survey", "properties", name_key="name", own_ids={"survey_id": "surveyId"})

    survey_id: str


surveys = SpecDecorator(Survey)


class UserScope(Scope):
    """Who answered."""

    user_id: int


class OnboardingSurvey(Survey, UserScope):
    """What users say a week after they have come."""

    score: int


@surveys(OnboardingSurvey)
def answer(survey_id: str, score: int) -> None:
    """Take an answer."""
