"""Who a user is: sent where a user registers or changes, and nowhere else. `[identifiers.go]`"""

from __future__ import annotations

from pydantic import Field

from examples.porter.analytics.scopes import UserScope
from instrument import Identify


class UserIdentify(Identify, UserScope):
    """A user's traits: the e-mail address, and whether the account came through GitHub."""

    email: str  # instrument: ignore[IP401] - by which destinations know a user
    is_github: bool = Field(serialization_alias="github")
