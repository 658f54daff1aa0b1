"""What clients and the request scope do not take; `error:` names mypy's code."""

from __future__ import annotations

from instrument import Client, Identify, JsonLinesDestination, Scope, Track, configure, request_scope
from instrument.testing import recording


class UserScope(Scope):
    user_id: int


class Done(Track, UserScope):
    pass


class Known(Identify, UserScope):
    pass


Client(write_keys="key")  # error: call-arg
Client(write_key=3)  # error: arg-type
Client("key")  # error: call-arg, arg-type
Client(timeout="long")  # error: arg-type
Client(late="drop")  # error: arg-type
Client(durability="eventually")  # error: arg-type
Client(on_error=lambda error: None)  # error: arg-type, misc
Client(destinations=[object()])  # error: list-item
configure(debug="yes")  # error: arg-type
JsonLinesDestination()  # error: call-arg
recording(stickt=True)  # error: call-arg

client = Client(enabled=False)
client.track(Known(user_id=7))  # error: arg-type
client.track(Done)  # error: arg-type
client.track({"event": "Done"})  # error: arg-type
client.track("Done")  # error: arg-type
client.identify(Done(user_id=7))  # error: arg-type
client.track(Done(user_id=7), {"a": 1})  # error: call-arg, arg-type
client.track(Done(user_id=7), user_id=8)  # error: call-arg
client.track(Done(user_id=7), timestamp="now")  # error: arg-type
client.flush("now")  # error: arg-type

request_scope(7)  # error: arg-type
request_scope({"user_id": 7})  # error: arg-type
request_scope(UserScope)  # error: arg-type
request_scope.fresh("user")  # error: arg-type
request_scope.snapshot().run(len, 3)  # error: arg-type
