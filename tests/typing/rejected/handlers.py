"""What the decorators and decorated handlers do not take; `error:` names mypy's code."""

from __future__ import annotations

from typing import Any

from instrument import Alias, Call, Group, Identify, Page, Scope, Screen, Track, groups, identifies, pages, tracks


class UserScope(Scope):
    user_id: int


class Done(Track, UserScope):
    size: int = 0


class Known(Identify, UserScope):
    pass


class Joined(Group, UserScope):
    pass


class Seen(Page, UserScope):
    pass


class SeenOnScreen(Screen, UserScope):
    pass


class Merged(Alias, UserScope):
    pass


tracks(Known)  # error: arg-type
tracks(Joined)  # error: arg-type
tracks(Seen)  # error: arg-type
tracks(SeenOnScreen)  # error: arg-type
tracks(Merged)  # error: arg-type
tracks(Known.from_call(user_id="user.id"))  # error: arg-type
tracks(UserScope)  # error: arg-type
tracks(Done(user_id=7))  # error: arg-type
tracks("Done")  # error: arg-type
tracks(start=Known)  # error: arg-type
tracks(failure=Known)  # error: arg-type
identifies(Done)  # error: arg-type
groups(Known)  # error: arg-type
pages(SeenOnScreen)  # error: arg-type
tracks(Done, Done)  # error: call-arg
tracks(Done, success=Done)  # error: call-arg
tracks(Done, scope=UserScope(user_id=7))  # error: arg-type
tracks(Done, failed_if=lambda: True)  # error: arg-type, misc
tracks(Done, message_id=3)  # error: arg-type
tracks(Done)("no handler")  # error: type-var
Done.from_call(size=3)  # error: arg-type
Done.from_call("size")  # error: call-arg


def without_call() -> int:
    return 3


Done.from_call(size=without_call)  # error: arg-type


@tracks(Done)
def handler(user_id: int, *, size: int) -> str:
    return ""


handler()  # error: call-arg
handler("seven", size=3)  # error: arg-type
handler(7, 3)  # error: call-arg
handler(7, size=3, colour="red")  # error: call-arg
number: int = handler(7, size=3)  # error: assignment


@tracks(Done)
async def coroutine() -> int:
    return 3


async def main() -> str:
    text: str = await coroutine()  # error: assignment
    coroutine() + 1  # error: operator
    return text


class Service:
    @tracks(Done)
    def method(self, user_id: int) -> str:
        return ""


Service().method("seven")  # error: arg-type
Service.method(7)  # error: call-arg, arg-type


def source(call: Call) -> Any:
    return call.nothing  # error: attr-defined
