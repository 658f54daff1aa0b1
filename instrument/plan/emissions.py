"""Where messages are emitted: by decorated handlers that live, and by what the source says."""

from __future__ import annotations

import ast
import inspect
import sys
import tokenize
from importlib.util import resolve_name
from typing import TYPE_CHECKING, Any, cast

from instrument.bindings import Binding
from instrument.decorated import decorated_handlers
from instrument.decorators import SpecDecorator, emitting
from instrument.messages import KINDS, Message
from instrument.plan.model import Emission

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType
    from typing import Literal

    from instrument.plan.project import Project

    _Emitted = tuple[type[Message], Emission]
    _Moment = Literal["start", "success", "failure"]


def emissions_of(modules: Iterable[ModuleType], project: Project) -> Mapping[type[Message], tuple[Emission, ...]]:
    """Return where the code of a project emits each message.

    Handlers are found twice over: those that live, however they were decorated; and those that the source shows, for
    functions that nobody has made yet, as inside of an application's factory. Blocks of `emitting` and messages that
    are handed to a client are found in the source alone, by the name of the class: not where a variable holds it.

    Args:
        modules: the imported modules.
        project: whose code it is.
    """
    found: dict[type[Message], set[Emission]] = {}
    for model, emission in _all(modules, project):
        found.setdefault(model, set()).add(emission)
    return {model: tuple(sorted(emissions, key=_order)) for model, emissions in found.items()}


def declared(model: type[Message]) -> type[Message]:
    """Return the class that was declared: of a parametrised generic, the generic class."""
    return cast("type[Message]", model.__pydantic_generic_metadata__["origin"] or model)


def _all(modules: Iterable[ModuleType], project: Project) -> Iterator[_Emitted]:
    yield from _of_handlers(project)
    for module in modules:
        source = _source(module)
        if source is not None:
            finder = _Finder(module, project)
            finder.visit(source)
            yield from finder.found


def _order(emission: Emission) -> tuple[str, int, str, str]:
    return emission.place.file, emission.place.line or 0, emission.handler, emission.moment


def _of_handlers(project: Project) -> Iterator[_Emitted]:
    for each in decorated_handlers.instrumentations():
        module = each.handler.name.partition(":")[0]
        if not project.owns(module):
            continue
        place = project.place(each.handler.place.file, each.handler.place.line, module=module)
        for plan in (each.start, each.success, each.failure):
            if plan is not None:
                emission = Emission(handler=each.handler.name, moment=plan.moment.value, place=place)
                yield declared(plan.model), emission


def _source(module: ModuleType) -> ast.Module | None:
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(".py"):
        return None
    try:
        with tokenize.open(file) as source:
            return ast.parse(source.read(), file)
    except OSError:  # it lies in an archive
        return None


class _Finder(ast.NodeVisitor):
    """Finds what a module's source emits; names mean what they mean in the imported module.

    Args:
        module: the module.
        project: whose code it is.
    """

    def __init__(self, module: ModuleType, project: Project) -> None:
        self.found: list[_Emitted] = []
        self._module = module
        self._project = project
        self._within: list[str] = []
        self._imports: list[dict[str, Any]] = [{}]

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all(node.decorator_list)
        self._within.append(node.name)
        self._visit_all([*node.bases, *node.keywords, *node.body])
        self._within.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all([*node.decorator_list, node.args])
        self._within.append(node.name)
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and isinstance(self._value(decorator.func), SpecDecorator):
                self._find_moments(decorator, node.decorator_list[0].lineno)
        self._within.append("<locals>")
        self._imports.append({})
        self._visit_all(node.body)
        self._imports.pop()
        del self._within[-2:]

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            bound = each.asname or each.name.partition(".")[0]
            self._imports[-1][bound] = sys.modules.get(each.name if each.asname else bound)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        name = "." * node.level + (node.module or "")
        module = sys.modules.get(resolve_name(name, self._module.__package__ or "") if node.level else name)
        for each in node.names:
            self._imports[-1][each.asname or each.name] = _member(module, each.name)

    def visit_Call(self, node: ast.Call) -> None:
        if self._value(node.func) is emitting:
            self._find_moments(node, node.lineno)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in KINDS and node.args:
            for made in _made(node.args[0]):
                for model in self._messages(made.func):
                    if model.__segment_spec__.type == node.func.attr:
                        self._add(model, "direct", node.lineno)
        self.generic_visit(node)

    def visit(self, node: ast.AST) -> None:
        if not isinstance(node, _LEAVES):
            super().visit(node)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _find_moments(self, call: ast.Call, line: int) -> None:
        given: dict[_Moment, ast.expr | None] = {
            "success": call.args[0] if call.args else None,
            "start": _keyword(call, "start"),
            "failure": _keyword(call, "failure"),
        }
        for moment, expression in given.items():
            for model in self._messages(expression) if expression is not None else ():
                self._add(model, moment, line)

    def _add(self, model: type[Message], moment: Literal["start", "success", "failure", "direct"], line: int) -> None:
        within = self._within[:-1] if self._within[-1:] == ["<locals>"] else self._within
        handler = ":".join(filter(None, (self._module.__name__, ".".join(within))))
        place = self._project.place(str(self._module.__file__), line, module=self._module.__name__)
        self.found.append((declared(model), Emission(handler=handler, moment=moment, place=place)))

    def _messages(self, expression: ast.expr) -> Iterator[type[Message]]:
        """Find the messages that an expression names: the class, a bound one, or either in a call that binds it."""
        for node in ast.walk(expression):
            value = self._value(node)
            model: Any = cast("Binding[Any]", value).model if isinstance(value, Binding) else value  # type: ignore[redundant-cast]
            if inspect.isclass(model) and issubclass(model, Message) and model.__declaration__ is not None:
                yield model

    def _value(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Attribute):
            return _member(self._value(node.value), node.attr)
        return self._named(node.id) if isinstance(node, ast.Name) else None

    def _named(self, name: str) -> Any:
        for imports in (*reversed(self._imports[1:]), vars(self._module), self._imports[0]):
            if name in imports:
                return imports[name]
        return None


# Most of a tree, and nothing is in them.
_LEAVES = (ast.Name, ast.Constant, ast.expr_context)


def _member(owner: Any, name: str) -> Any:
    """Return what a module or class holds, without running a descriptor or a module's `__getattr__`."""
    if inspect.ismodule(owner):
        return vars(owner).get(name, sys.modules.get(f"{owner.__name__}.{name}"))
    return inspect.getattr_static(owner, name, None) if inspect.isclass(owner) else None


def _made(argument: ast.expr) -> Iterator[ast.Call]:
    if isinstance(argument, ast.Call):
        yield argument
    elif isinstance(argument, ast.IfExp):
        yield from (*_made(argument.body), *_made(argument.orelse))
    elif isinstance(argument, ast.NamedExpr):
        yield from _made(argument.value)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)
