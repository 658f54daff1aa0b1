"""Users: registering, and what they show of themselves."""

# FastAPI reads the annotations of routes at run time.
# ruff: noqa: TC001

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from examples.porter.analytics.events import (
    GithubConnectionStart,
    GithubConnectionSuccess,
    UserCreate,
    UserVerifyEmail,
)
from examples.porter.analytics.identifiers import UserIdentify
from examples.porter.api.dependencies import CurrentRepository, CurrentUser
from examples.porter.errors import ConflictError
from examples.porter.models import User
from instrument import emitting, identifies, tracks

router = APIRouter(prefix="/users", tags=["users"])


class NewUser(BaseModel):
    """What somebody who registers tells."""

    first_name: str
    last_name: str
    email: str
    company: str
    referral_method: str = "none"
    is_github: bool = False


@router.post("", status_code=201)
@tracks(
    UserCreate.from_call(
        user_id="result.id",
        email="result.email",
        name="result.name",
        company="result.company",
        referral_method="form.referral_method",
    )
)
@identifies(UserIdentify.from_call(user_id="result.id", email="result.email", is_github="result.is_github"))
def register(form: NewUser, repository: CurrentRepository) -> User:
    """Register. Nobody is signed in yet: the identity is the user that the handler returns."""
    return repository.add_user(form.first_name, form.last_name, form.email, form.company, is_github=form.is_github)


@router.post("/verified-email")
@tracks(UserVerifyEmail.from_call(email="user.email"))
async def verify_email(user: CurrentUser) -> User:
    """Show that the e-mail address is one's own."""
    return user


@router.post("/github")
def connect_github(user: CurrentUser) -> User:
    """Connect the GitHub account by which the user registered."""
    # Only the rest is work on a connection, and so tracked: a block does for what is no function.
    with emitting(GithubConnectionSuccess, start=GithubConnectionStart):
        if not user.is_github:
            raise ConflictError("the account did not come through GitHub")
        return user
