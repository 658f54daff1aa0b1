"""Event names come out of class names, and no letter is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.names import event_name, words
from tests.strategies import acronyms, capitalised_words, identifiers


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("ClusterProvisioningSuccess", "Cluster Provisioning Success"),
        ("Login", "Login"),
        ("AWSLoginRedirect", "AWS Login Redirect"),
        ("ConnectAWSAccount", "Connect AWS Account"),
        ("UserAPI", "User API"),
        ("API", "API"),
        ("ABTestBegin", "AB Test Begin"),
        ("AClusterCreate", "A Cluster Create"),
        ("S3BucketCreate", "S3 Bucket Create"),
        ("EC2InstanceStop", "EC2 Instance Stop"),
        ("OAuth2TokenRefresh", "O Auth2 Token Refresh"),
        ("Step1Complete", "Step1 Complete"),
        ("Version20Release", "Version20 Release"),
        ("Http404Seen", "Http404 Seen"),
        ("Signup_Complete", "Signup Complete"),
        ("_InternalUse", "Internal Use"),
        ("Trailing__", "Trailing"),
        ("lowercase", "lowercase"),
        ("camelCase", "camel Case"),
        ("snake_case_name", "snake case name"),
        ("CLUSTER_READY", "CLUSTER READY"),
        ("ÉcoleÉtéOuverte", "École Été Ouverte"),
        ("ΑλφαΒήτα", "Αλφα Βήτα"),
        ("СерверСоздан", "Сервер Создан"),
        ("集群创建", "集群创建"),
        ("Straße", "Straße"),
        ("_", ""),
    ],
)
def test_a_class_name_is_split_at_its_capitals(class_name: str, expected: str) -> None:
    assert event_name(class_name) == expected


@given(identifiers)
def test_the_words_give_back_the_letters_of_the_class_name_in_order(name: str) -> None:
    assert "".join(words(name)) == name.replace("_", "")


@given(identifiers)
def test_no_word_is_empty_or_has_an_underscore(name: str) -> None:
    assert all(word and "_" not in word for word in words(name))


@given(identifiers)
def test_a_word_is_not_split_again(name: str) -> None:
    assert [again for word in words(name) for again in words(word)] == words(name)


@given(st.lists(capitalised_words, min_size=1, max_size=6))
def test_capitalised_words_stay_whole(parts: list[str]) -> None:
    assert words("".join(parts)) == parts


@given(st.lists(capitalised_words, max_size=3), acronyms, st.lists(capitalised_words, max_size=3))
def test_an_acronym_stays_whole_among_capitalised_words(before: list[str], acronym: str, after: list[str]) -> None:
    assert words("".join([*before, acronym, *after])) == [*before, acronym, *after]


@given(st.lists(identifiers, min_size=1, max_size=4))
def test_underscores_separate_words_and_are_gone(parts: list[str]) -> None:
    assert words("__".join(parts)) == [word for part in parts for word in words(part)]
