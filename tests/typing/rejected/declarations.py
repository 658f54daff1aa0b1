"""What the constructors of declared classes do not take; `error:` names mypy's code."""

from __future__ import annotations

from instrument import Alias, Group, Identify, Page, Scope, Track


class UserScope(Scope):
    user_id: int


class ClusterCreated(Track, UserScope):
    size: int
    note: str = ""


class UserKnown(Identify, UserScope):
    email: str


class TeamJoined(Group, UserScope):
    pass


class PricingSeen(Page, UserScope):
    pass


class UserMerged(Alias, UserScope):
    pass


UserScope()  # error: call-arg
UserScope(user_id="seven")  # error: arg-type
ClusterCreated(user_id=7)  # error: call-arg
ClusterCreated(size=3)  # error: call-arg
ClusterCreated(user_id=7, size="large")  # error: arg-type
ClusterCreated(user_id=7, size=None)  # error: arg-type
ClusterCreated(user_id=7, sise=3)  # error: call-arg
ClusterCreated(user_id=7, size=3, colour="red")  # error: call-arg
ClusterCreated(user_id=None, size=3)  # error: arg-type
ClusterCreated(7, 3)  # error: call-arg
UserKnown(user_id=7, email=b"a@b.example")  # error: arg-type
TeamJoined(user_id=7)  # error: call-arg
TeamJoined(user_id=7, group_id=1.5)  # error: arg-type
UserMerged(user_id=7)  # error: call-arg

created = ClusterCreated(user_id=7, size=3)
colour: str = created.colour  # error: attr-defined
created.event = "Another"  # error: misc
created.properties = {}  # error: misc
PricingSeen(user_id=7).name = "Another"  # error: misc
text: str = created.size  # error: assignment
