"""The compiled plan of a handler as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument.decorators import instrumentation_of
from instrument.errors import BindingError
from instrument.messages import declaration_of

if TYPE_CHECKING:
    from instrument.lifecycle import Instrumentation
    from instrument.resolution import FieldPlan, MessagePlan


def explain(handler: object) -> str:
    """Tell which messages a handler emits, and where each of their fields comes from.

    Args:
        handler: a decorated function or method; other decorators over it are looked through.

    Raises:
        BindingError: nothing on it is decorated.

    >>> from instrument import Scope, Track, tracks
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class PhotoShared(Track, UserScope):
    ...     size: int
    ...     album: str | None = None
    >>> @tracks(PhotoShared.from_call(size="photo.size"))
    ... def share(photo: object) -> None: ...
    >>> print(explain(share).split(chr(10), 1)[1])
    success: PhotoShared, track "Photo Shared"
      user_id  request scope 'user_id'; no default
      size     path 'photo.size'; no default
      album    default None
    """
    found = instrumentation_of(handler)
    if found is None:
        raise BindingError(
            f"{getattr(handler, '__qualname__', type(handler).__name__)} has no decorator of instrument."
        )
    lines = [f"{found.handler.name} ({found.handler.nature.value}, {found.handler.place})"]
    for plan in (found.start, found.success, found.failure):
        if plan is not None:
            lines += _message_lines(plan)
    return "\n".join([*lines, *_other_lines(found)])


def _message_lines(plan: MessagePlan) -> list[str]:
    declaration = declaration_of(plan.model)
    named = f' "{declaration.name}"' if declaration.name else ""
    width = max((len(each.name) for each in plan.fields), default=0)
    return [
        f"{plan.moment.value}: {plan.model.__name__}, {declaration.spec.type}{named}",
        *(f"  {each.name:<{width}}  {_places(each)}" for each in plan.fields),
    ]


def _places(field: FieldPlan) -> str:
    places = ", then ".join(candidate.origin for candidate in field.candidates)
    if not places:
        return f"default {field.default}"
    return f"{places}; " + ("no default" if field.default is None else f"default {field.default}")


def _other_lines(found: Instrumentation) -> list[str]:
    return ["failed_if: a returned result may be a failure"] if found.failed_if is not None else []
