"""The names that a user may build on, each with its parameters or type: `make public-names` writes them down.

A line that goes away or changes in tests/public_names.txt is a change that may break somebody's program.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any, ForwardRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_PACKAGE = Path(__file__).resolve().parents[1] / "instrument"
WRITTEN = _PACKAGE.parent / "tests" / "public_names.txt"

_PACKAGES = ("instrument.delivery.destinations", "instrument.integrations")
"""Of which every module is one to import from, but for those that others share."""

_SHARED = {
    "instrument.delivery.destinations.debugger",
    "instrument.integrations.carried",
    "instrument.integrations.commands",
    "instrument.integrations.retries",
    "instrument.integrations.werkzeug",
}

_MEANS = ("TypeVar(", "ParamSpec(", "logging.getLogger(")
"""What is assigned to names that only their own module uses."""

_OTHERS = (
    "instrument",
    "instrument.compat.segment",
    "instrument.delivery.dead_letters",
    "instrument.delivery.forward",
    "instrument.outcomes",
    "instrument.plan.diff",
    "instrument.plan.model",
    "instrument.prometheus",
    "instrument.settings",
    "instrument.testing",
    "instrument.transactions",
)


def public_modules() -> list[str]:
    """Return the modules that users are told to import from."""
    parts = {
        each.name
        for package in _PACKAGES
        for each in pkgutil.iter_modules(import_module(package).__path__, f"{package}.")
    }
    return sorted({*_OTHERS, *parts} - _SHARED)


def public_names() -> list[str]:
    """Return one line for each public name, and for each public member of a class."""
    lines = (line for name in public_modules() for line in _of_module(import_module(name)))
    return sorted(set(lines))


def is_class(value: object) -> bool:
    """Whether something is a class, and no type with arguments, which Python 3.10 takes for one."""
    return inspect.isclass(value) and not isinstance(value, GenericAlias)


def _of_module(module: ModuleType) -> Iterator[str]:
    listed: list[str] | None = getattr(module, "__all__", None)
    if listed is None:
        listed = [name for name, value in vars(module).items() if _is_defined_in(module, name, value)]
        yield from (f"{module.__name__}.{name} = {text}" for name, text in _assigned(module))
    for name in listed:
        yield from _of_value(f"{module.__name__}.{name}", getattr(module, name))


def _is_defined_in(module: ModuleType, name: str, value: Any) -> bool:
    is_defined = is_class(value) or inspect.isroutine(value)
    return is_defined and value.__module__ == module.__name__ and not name.startswith("_")


def _assigned(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the constants of a module and its names for types, also of those that only checkers see."""
    body = ast.parse(inspect.getsource(module)).body
    for node in (part for each in body for part in (each.body if isinstance(each, ast.If) else [each])):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and value is not None and not target.id.startswith("_"):
            text = ast.unparse(value)
            if not text.startswith(_MEANS):
                yield target.id, text


def _of_value(name: str, value: Any) -> Iterator[str]:
    if is_class(value):
        yield f"{name}: class({', '.join(base.__name__ for base in value.__bases__)})"
        yield from _of_class(name, value)
    elif inspect.isfunction(value):
        yield f"{name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _of_class(name: str, cls: type[Any]) -> Iterator[str]:
    if issubclass(cls, Enum):
        yield from (f"{name}.{member} = {cls[member].value!r}" for member in cls.__members__)
    members: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.partition(".")[0] == "instrument":
            members |= {
                member: f"{name}.{member}: {kind}"
                for member, kind in _annotations(each).items()
                if not member.startswith("_")
            }
            members |= {member: line for member, value in vars(each).items() if (line := _member(name, member, value))}
    yield from members.values()


def _member(owner: str, name: str, value: Any) -> str | None:
    """Return the line of what a class defines: its making, its methods and properties."""
    function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    if name.startswith("_") and not (name in {"__init__", "__call__"} and _is_written(function)):
        return None
    if isinstance(value, property):
        return f"{owner}.{name}: {_annotations(value.fget).get('return', 'Any')}"
    if not inspect.isfunction(function):
        return None
    return f"{owner}.{name}{_signature(function)}"


def _is_written(function: Any) -> bool:
    """Whether a function stands in a file of the package, and was made for no dataclass and no protocol."""
    return inspect.isfunction(function) and Path(function.__code__.co_filename).resolve().is_relative_to(_PACKAGE)


def _annotations(of: Any) -> dict[str, str]:
    found = inspect.get_annotations(of).items()
    return {name: kind.__forward_arg__ if isinstance(kind, ForwardRef) else str(kind) for name, kind in found}


def _signature(function: Any) -> str:
    """Return the parameters as they are written; of a default, only what can be read."""
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(
            annotation=_written(parameter.annotation),
            default=_default(parameter.default),
        )
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=_written(signature.return_annotation)))


def _written(annotation: object) -> object:
    return annotation if annotation is inspect.Signature.empty else _Text(str(annotation))


class _Text:
    """What is shown as it is, without the quotes of a text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _default(value: object) -> object:
    """Return what stands for a default: itself, where its text is the same in every process."""
    readable = isinstance(value, (bool, int, float, str, bytes, type(None))) or value is inspect.Signature.empty
    return value if readable else _Text("...")


if __name__ == "__main__":
    WRITTEN.write_text("\n".join(public_names()) + "\n", encoding="utf-8")
