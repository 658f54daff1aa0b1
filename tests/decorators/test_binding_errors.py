"""A handler and a message that do not fit are told of where the handler is defined, in whole sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from instrument import (
    BindingError,
    DeclarationError,
    Identify,
    InstrumentError,
    Scope,
    Track,
    aliases,
    emitting,
    explain,
    identifies,
    tracks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FunctionType


class BindingScope(Scope):
    user_id: int


class BindingTeamScope(BindingScope):
    team_id: int


class BindingUploaded(Track, BindingScope):
    size: int


class BindingJoined(Track, BindingTeamScope):
    pass


class BindingFailed(Track, BindingScope):
    status: int
    reason: str | None = None


class BindingProfile(Identify, BindingScope):
    pass


class BindingBase(Track, BindingScope, abstract=True):
    size: int


@dataclass
class File:
    size: int


def upload(user_id: int, file: File, siez: int = 0) -> None: ...


def upload_file(user_id: int, file: File) -> None: ...


async def upload_later(user_id: int, file: File) -> None: ...


def upload_many(user_id: int, files: list[File]) -> Iterator[int]:
    yield from ()


def upload_anything(**options: object) -> None: ...


class Store:
    def upload(self, user_id: int, data: bytes) -> None: ...

    @classmethod
    def restore(cls, user_id: int) -> None: ...

    @property
    def used(self) -> int:
        return 0


def place_of(function: Any) -> str:
    code = getattr(function, "__func__", function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def handler(function: Any) -> str:
    return f"{place_of(function)}: {__name__}:{function.__qualname__}"


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "a path whose first name is no parameter": (
        lambda: tracks(BindingUploaded.from_call(size="fiel.size"))(upload),
        (
            f"{handler(upload)}: success message BindingUploaded, field 'size': its source is 'fiel.size', but there is "
            "no parameter 'fiel' (did you mean 'file'?)."
        ),
    ),
    "a source that is no parameter, and near to none": (
        lambda: tracks(BindingUploaded.from_call(size="length"))(upload),
        (
            f"{handler(upload)}: success message BindingUploaded, field 'size': its source is 'length', but there is "
            "no parameter 'length'."
        ),
    ),
    "a misspelt reserved name": (
        lambda: tracks(BindingUploaded.from_call(size="reslt.size"))(upload),
        (
            f"{handler(upload)}: success message BindingUploaded, field 'size': its source is 'reslt.size', but there is "
            "no parameter 'reslt' (did you mean 'result'?)."
        ),
    ),
    "a wrong source of a scope": (
        lambda: tracks(BindingJoined, scope=BindingTeamScope.from_call(team_id="team.id"))(upload),
        (
            f"{handler(upload)}: success message BindingJoined, field 'team_id': its source is 'team.id', but there is "
            "no parameter 'team'."
        ),
    ),
    "a required field that is found nowhere, but in the class of a parameter": (
        lambda: tracks(BindingUploaded)(upload_file),
        (
            f"{handler(upload_file)}: success message BindingUploaded, field 'size': no source is possible. "
            "Tried: argument 'size' (the handler has no such parameter); default (the field has none). "
            'Write where the handler keeps it: `BindingUploaded.from_call(size="file.size")`.'
        ),
    ),
    "a required field that is found nowhere": (
        lambda: tracks(BindingUploaded)(upload_later),
        (
            f"{handler(upload_later)}: success message BindingUploaded, field 'size': no source is possible. "
            "Tried: argument 'size' (the handler has no such parameter); default (the field has none). "
            'Write where the handler keeps it: `BindingUploaded.from_call(size="file.size")`.'
        ),
    ),
    "a required field that is found nowhere, though a parameter has nearly its name": (
        lambda: tracks(BindingUploaded)(upload),
        (
            f"{handler(upload)}: success message BindingUploaded, field 'size': no source is possible "
            "(did you mean 'siez'?). Tried: argument 'size' (the handler has no such parameter); default (the field has "
            'none). Write where the handler keeps it: `BindingUploaded.from_call(size="file.size")`.'
        ),
    ),
    "a required field of a method's message": (
        lambda: tracks(start=BindingUploaded)(Store.upload),
        (
            f"{handler(Store.upload)}: start message BindingUploaded, field 'size': no source is possible. "
            "Tried: argument 'size' (the handler has no such parameter); default (the field has none). "
            'Write where the handler keeps it: `BindingUploaded.from_call(size="…")`.'
        ),
    ),
    "a required field of a classmethod's message": (
        lambda: tracks(failure=BindingUploaded)(Store.__dict__["restore"]),
        (
            f"{handler(Store.restore)}: failure message BindingUploaded, field 'size': no source is possible. "
            "Tried: argument 'size' (the handler has no such parameter); default (the field has none). "
            'Write where the handler keeps it: `BindingUploaded.from_call(size="…")`.'
        ),
    ),
    "a required field of a generator's message": (
        lambda: tracks(BindingUploaded)(upload_many),
        (
            f"{handler(upload_many)}: success message BindingUploaded, field 'size': no source is possible. "
            "Tried: argument 'size' (the handler has no such parameter); default (the field has none). "
            'Write where the handler keeps it: `BindingUploaded.from_call(size="…")`.'
        ),
    ),
    "a start that reads the result": (
        lambda: tracks(start=BindingUploaded.from_call(size="result.size"))(upload),
        (
            f"{handler(upload)}: start message BindingUploaded, field 'size': its source 'result.size' is not known when "
            "the handler starts. Take it from an argument."
        ),
    ),
    "a start that reads the error": (
        lambda: tracks(start=BindingUploaded.from_call(size="error"))(upload),
        (
            f"{handler(upload)}: start message BindingUploaded, field 'size': its source 'error' is not known when "
            "the handler starts. Take it from an argument."
        ),
    ),
    "a start that reads the duration": (
        lambda: tracks(start=BindingUploaded.from_call(size="duration"))(upload),
        (
            f"{handler(upload)}: start message BindingUploaded, field 'size': its source 'duration' is not known when "
            "the handler starts. Take it from an argument."
        ),
    ),
    "a success that reads the error": (
        lambda: tracks(BindingUploaded.from_call(size="error.size"))(upload),
        (
            f"{handler(upload)}: success message BindingUploaded, field 'size': its source is 'error.size', but a success "
            "has no error."
        ),
    ),
    "a failure that reads the result without failed_if": (
        lambda: tracks(failure=BindingFailed.from_call(status="result.status"))(upload),
        (
            f"{handler(upload)}: failure message BindingFailed, field 'status': it comes from the result 'result.status', "
            "but a failed call has no result. Take it from an argument, or give the decorator `failed_if=`, by which a "
            "returned result can fail."
        ),
    ),
    "a required field from the result with failed_if": (
        lambda: tracks(failure=BindingFailed.from_call(status="result.status"), failed_if=bool)(upload),
        (
            f"{handler(upload)}: failure message BindingFailed, field 'status': it comes from the result 'result.status'; "
            "with `failed_if=` a failure has either a result or an error, so the field needs a default: "
            "`… | None = None`."
        ),
    ),
    "a required field from the error with failed_if": (
        lambda: tracks(failure=BindingFailed.from_call(status="error"), failed_if=bool)(upload),
        (
            f"{handler(upload)}: failure message BindingFailed, field 'status': it comes from the error; "
            "with `failed_if=` a failure has either a result or an error, so the field needs a default: "
            "`… | None = None`."
        ),
    ),
    "a message id whose source is no parameter": (
        lambda: tracks(BindingUploaded.from_call(size="siez"), message_id="fiel.id")(upload),
        (
            f"{handler(upload)}: success message BindingUploaded, message_id: its source is 'fiel.id', but there is no parameter 'fiel' "
            "(did you mean 'file'?)."
        ),
    ),
    "a message id that a start cannot have": (
        lambda: tracks(start=BindingUploaded.from_call(size="siez"), message_id="result.id")(upload),
        (
            f"{handler(upload)}: start message BindingUploaded, message_id: its source 'result.id' is not known when "
            "the handler starts. Take it from an argument."
        ),
    ),
    "a message id whose source is no source": (
        lambda: tracks(BindingUploaded.from_call(size="siez"), message_id=7)(upload),  # type: ignore[arg-type]
        f"{handler(upload)}: message_id: a source is a parameter's name, a dotted path, or a callable, not int.",
    ),
    "a message of another spec": (
        lambda: tracks(BindingProfile),  # type: ignore[arg-type]
        "{here}: a declared Track class is expected, or one bound by `from_call`, not BindingProfile.",
    ),
    "a bound message of another spec": (
        lambda: identifies(start=BindingUploaded.from_call(size="size")),  # type: ignore[arg-type]
        "{here}: a declared Identify class is expected, or one bound by `from_call`, not BindingUploaded.",
    ),
    "a scope instead of a message": (
        lambda: tracks(failure=BindingScope),  # type: ignore[arg-type]
        "{here}: a declared Track class is expected, or one bound by `from_call`, not BindingScope.",
    ),
    "an instance instead of a class": (
        lambda: tracks(BindingUploaded(user_id=7, size=3)),  # type: ignore[arg-type]
        "{here}: a declared Track class is expected, or one bound by `from_call`, not BindingUploaded.",
    ),
    "a name instead of a class": (
        lambda: aliases("Uploaded"),  # type: ignore[arg-type]
        "{here}: a declared Alias class is expected, or one bound by `from_call`, not str.",
    ),
    "a decorator without its parentheses": (
        lambda: tracks(upload),  # type: ignore[arg-type]
        "{here}: a declared Track class is expected, or one bound by `from_call`, not function.",
    ),
    "a scope in a block": (
        lambda: emitting(BindingScope),  # type: ignore[arg-type]
        "{here}: a declared Message class is expected, or one bound by `from_call`, not BindingScope.",
    ),
    "a class as handler": (
        lambda: tracks(BindingUploaded.from_call(size=lambda _: 3))(Store),
        "{here}: a class cannot be a handler: decorate its `__init__`, or a method.",
    ),
    "a property as handler": (
        lambda: tracks(BindingUploaded)(Store.__dict__["used"]),
        (
            "{here}: a handler is a function or a method, not property. "
            "Put the decorator next to the function, below `@property` and the like."
        ),
    ),
    "no handler at all": (
        lambda: tracks(BindingUploaded)(None),  # type: ignore[type-var]
        (
            "{here}: a handler is a function or a method, not NoneType. "
            "Put the decorator next to the function, below `@property` and the like."
        ),
    ),
    "an unknown field": (
        lambda: BindingUploaded.from_call(sise="file.size"),
        (
            "{here}: BindingUploaded.from_call: BindingUploaded has no field 'sise' (did you mean 'size'?). "
            "Its fields are: user_id, size."
        ),
    ),
    "an unknown field of a scope": (
        lambda: BindingTeamScope.from_call(size="file.size"),
        "{here}: BindingTeamScope.from_call: BindingTeamScope has no field 'size'. Its fields are: user_id, team_id.",
    ),
    "a source that is no source": (
        lambda: BindingUploaded.from_call(size=3),  # type: ignore[arg-type]
        (
            "{here}: BindingUploaded.from_call: field 'size': a source is a parameter's name, a dotted path, or a "
            "callable, not int."
        ),
    ),
    "a path with an empty step": (
        lambda: BindingUploaded.from_call(size="file..size"),
        (
            "{here}: BindingUploaded.from_call: field 'size': 'file..size' is no dotted path; write for instance "
            "'cluster.id' or 'result.id'."
        ),
    ),
    "an empty path": (
        lambda: BindingUploaded.from_call(size=""),
        (
            "{here}: BindingUploaded.from_call: field 'size': '' is no dotted path; write for instance "
            "'cluster.id' or 'result.id'."
        ),
    ),
    "nothing to explain": (
        lambda: explain(upload),
        "upload has no decorator of instrument.",
    ),
}


@pytest.mark.parametrize(("wrong", "text"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_told_with_its_place_and_what_to_write(wrong: FunctionType, text: str) -> None:
    with pytest.raises(BindingError) as raised:
        wrong()
    assert str(raised.value) == text.replace("{here}", place_of(wrong))


def test_an_abstract_class_is_told_with_the_place_of_its_declaration() -> None:
    with pytest.raises(DeclarationError) as raised:
        tracks(BindingBase)
    assert str(raised.value) == (
        f"BindingBase, declared at {BindingBase.__declared_at__}, is abstract: "
        "it carries fields for other messages, and cannot be sent itself."
    )
    assert BindingBase.__declared_at__.file == __file__


@pytest.mark.parametrize("error", [BindingError, DeclarationError])
def test_errors_at_import_are_type_errors_and_errors_of_the_package(error: type[Exception]) -> None:
    assert issubclass(error, TypeError)
    assert issubclass(error, InstrumentError)


FITS: dict[str, Callable[[], object]] = {
    "a required field of a scope, which the request scope may give": lambda: tracks(BindingJoined)(upload),
    "a required field that **kwargs may hold": lambda: tracks(BindingUploaded)(upload_anything),
    "a path that starts in **kwargs": lambda: tracks(BindingUploaded.from_call(size="file.size"))(upload_anything),
    "a path that starts with self": lambda: tracks(BindingUploaded.from_call(size="self.used"))(Store.upload),
    "the duration of a failure": lambda: tracks(failure=BindingFailed.from_call(status="duration"))(upload),
    "the error of a failure": lambda: tracks(failure=BindingFailed.from_call(status="error.status"))(upload),
    "a field with a default that is found nowhere": lambda: tracks(failure=BindingFailed.from_call(status="siez"))(
        upload
    ),
    "a field with a default from the result with failed_if": lambda: tracks(
        failure=BindingFailed.from_call(status="siez", reason="result.reason"), failed_if=bool
    )(upload),
    "a source of a scope that no message needs": lambda: tracks(
        BindingUploaded.from_call(size="siez"), scope=BindingTeamScope.from_call(team_id="nowhere.id")
    )(upload),
    "no message at all": lambda: tracks()(upload),
}


@pytest.mark.parametrize("fitting", FITS.values(), ids=FITS)
def test_what_may_fit_is_left_to_the_call(fitting: Callable[[], object]) -> None:
    decorated: Any = fitting()
    assert decorated.__wrapped__ in (upload, upload_anything, Store.upload)
