"""The request scope takes scopes or names."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from instrument import RequestScope, Scope, request_scope


class UserScope(Scope):
    user_id: int


def double(number: int, *, times: int = 2) -> float:
    return number * times


def in_requests() -> None:
    with request_scope(UserScope(user_id=7)):
        assert_type(request_scope.user_id, Any)
        request_scope.project_id = 3
    with request_scope(UserScope(user_id=7), project_id=3), request_scope(user_id=8), request_scope():
        pass
    with request_scope.fresh(UserScope(user_id=7)), request_scope.fresh(user_id=7):
        snapshot = request_scope.snapshot()
    with snapshot:
        assert_type(request_scope.get("user_id", 3), Any)
        assert_type(request_scope.values(), dict[str, Any])
    assert_type(snapshot.run(double, 3, times=4), float)
    assert_type(request_scope, RequestScope)
