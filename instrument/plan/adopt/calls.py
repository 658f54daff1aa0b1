"""The calls of Segment's client in a code base, and what can be read of them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from typing_extensions import override

from instrument.plan.adopt.clients import dotted
from instrument.plan.adopt.sources import Unread
from instrument.plan.adopt.types import UNKNOWN, Schema, type_of, type_of_annotation, united

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instrument.plan.adopt.clients import Names
    from instrument.plan.adopt.sources import Source

# In the order in which the client has its parameters.
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "track": ("user_id", "event", "properties", "context", "timestamp", "anonymous_id"),
    "identify": ("user_id", "traits", "context", "timestamp", "anonymous_id"),
    "group": ("user_id", "group_id", "traits", "context", "timestamp", "anonymous_id"),
    "page": ("user_id", "category", "name", "properties", "context", "timestamp", "anonymous_id"),
    "screen": ("user_id", "category", "name", "properties", "context", "timestamp", "anonymous_id"),
    "alias": ("previous_id", "user_id"),
}
_NAMES: Mapping[str, str] = {"track": "event", "page": "name", "screen": "name"}


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call of the client.

    Attributes:
        call: which one.
        name: the name of the event, page or screen.
        category: the category of a page or screen.
        fields: by key, the types of its properties or traits.
        is_complete: whether these are all that it sends.
        user: the type of the user's id; `None` where it gives none.
        is_anonymous: whether it gives an anonymous id.
        place: the file and the line.
    """

    call: str
    name: str | None
    category: str | None
    fields: Mapping[str, Schema]
    is_complete: bool
    user: Schema | None
    is_anonymous: bool
    place: str


@dataclass(slots=True)
class _Scope:
    """The names that a function, or the module, has bound."""

    types: dict[str, Schema] = field(default_factory=dict[str, Schema])
    texts: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    dicts: dict[str, ast.expr | None] = field(default_factory=dict[str, "ast.expr | None"])


def find_calls(source: Source, names: Names) -> tuple[list[FoundCall], list[Unread]]:
    """Find the calls in a file.

    Args:
        source: the file.
        names: what its names mean.

    Returns:
        The calls, and those that cannot be read, or not as a whole.
    """
    finder = _Finder(source.name, names)
    try:
        finder.visit(source.tree)
    except RecursionError:
        finder.unread.append(Unread(source.name, "it cannot be read: it is nested too deeply"))
    return finder.found, finder.unread


class _Finder(ast.NodeVisitor):
    def __init__(self, file: str, names: Names) -> None:
        self.found: list[FoundCall] = []
        self.unread: list[Unread] = []
        self._file = file
        self._names = names
        self._scopes: list[_Scope] = []

    @override
    def visit_Module(self, node: ast.Module) -> None:
        self._within(node, _scope_of(node.body))

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    @override
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        scope = _scope_of(node.body)
        arguments = node.args
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            # What is bound again in the body is what both are.
            known = type_of_annotation(each.annotation)
            scope.types[each.arg] = united([known, scope.types[each.arg]]) if each.arg in scope.types else known
            scope.texts.setdefault(each.arg, None)
            scope.dicts.setdefault(each.arg, None)
        self._within(node, scope)

    def _within(self, node: ast.AST, scope: _Scope) -> None:
        self._scopes.append(scope)
        self.generic_visit(node)
        self._scopes.pop()

    @override
    def visit_Call(self, node: ast.Call) -> None:
        call = self._names.call_of(node.func)
        if call is not None:
            self._read(call, node)
        self.generic_visit(node)

    def _read(self, call: str, node: ast.Call) -> None:
        if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
            self._complain(node, f"{call}: its arguments are unpacked from something that is not written here")
            return
        arguments = dict(zip(_PARAMETERS[call], node.args, strict=False))
        arguments.update({each.arg: each.value for each in node.keywords if each.arg is not None})
        name = self._text(arguments.get(_NAMES.get(call, "")))
        if call == "track" and not (name or "").strip():
            what = "is not written here" if name is None else "is empty"
            self._complain(node, f"track: the name of the event {what}")
            return
        fields, is_complete = self._fields(call, arguments.get("properties", arguments.get("traits")), node)
        user, anonymous = arguments.get("user_id"), arguments.get("anonymous_id")
        self.found.append(
            FoundCall(
                call=call,
                name=name,
                category=self._text(arguments.get("category")),
                fields=fields,
                is_complete=is_complete,
                user=None if user is None or _is_none(user) else type_of(user, self._types()),
                is_anonymous=anonymous is not None and not _is_none(anonymous),
                place=self._place(node),
            )
        )

    def _fields(self, call: str, node: ast.expr | None, at: ast.Call) -> tuple[Mapping[str, Schema], bool]:
        if node is None or _is_none(node):
            return {}, True
        if isinstance(node, ast.Name):
            node = self._looked_up(node.id) or node
        if isinstance(node, ast.Call) and dotted(node.func) == "dict" and not node.args:
            keys: list[ast.expr | None] = [
                None if each.arg is None else ast.Constant(each.arg) for each in node.keywords
            ]
            node = ast.Dict(keys=keys, values=[each.value for each in node.keywords])
        if not isinstance(node, ast.Dict):
            self._complain(at, f"{call}: its properties are not written here")
            return {}, False
        fields: dict[str, Schema] = {}
        is_complete = True
        for key, value in zip(node.keys, node.values, strict=True):
            text = None if key is None else self._text(key)
            if text is not None:
                fields[text] = type_of(value, self._types())
                continue
            is_complete = False
            what = "`**` in its properties" if key is None else "the name of one of its properties"
            self._complain(at, f"{call}: {what} is not written here")
        return fields, is_complete

    def _types(self) -> Mapping[str, Schema]:
        return {name: each for scope in self._scopes for name, each in scope.types.items()}

    def _looked_up(self, name: str) -> ast.expr | None:
        for scope in reversed(self._scopes):
            if name in scope.dicts:
                return scope.dicts[name]
        return None

    def _text(self, node: ast.expr | None) -> str | None:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) and _is_unicode(node.value) else None
        if isinstance(node, ast.Name):
            for scope in reversed(self._scopes):
                if node.id in scope.texts:
                    return scope.texts[node.id]
        return None

    def _complain(self, node: ast.Call, why: str) -> None:
        self.unread.append(Unread(self._place(node), why))

    def _place(self, node: ast.Call) -> str:
        return f"{self._file}:{node.lineno}"


def _is_unicode(text: str) -> bool:
    """Whether a text has a form in UTF-8: no lone surrogate is in it."""
    return not any("\ud800" <= each <= "\udfff" for each in text)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _scope_of(body: list[ast.stmt]) -> _Scope:
    """Return what the statements of a function or module bind, those of functions and classes within left out."""
    finder = _Bindings()
    for each in body:
        finder.visit(each)
    return finder.scope


class _Bindings(ast.NodeVisitor):
    """What is bound once to a text or a dictionary is that; what is bound in any other way is not known."""

    def __init__(self) -> None:
        self.scope = _Scope()

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._bind(node.name, None, UNKNOWN)

    @override
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._bind(node.name, None, UNKNOWN)

    @override
    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name, None, UNKNOWN)

    @override
    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass

    @override
    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._bind(target.id, node.value, type_of(node.value, self.scope.types))
            else:
                self.visit(target)
        self.visit(node.value)

    @override
    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, node.value, type_of_annotation(node.annotation))

    @override
    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id, None, UNKNOWN)

    @override
    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._changed(node)

    @override
    def visit_Call(self, node: ast.Call) -> None:
        # A method may change what it is called on: `properties.update(…)`.
        if isinstance(node.func, ast.Attribute):
            self._forget(node.func.value)
        self.generic_visit(node)

    def _changed(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._forget(node.value)
        self.generic_visit(node)

    def _forget(self, node: ast.expr) -> None:
        if isinstance(node, ast.Name):
            self.scope.dicts[node.id] = None

    def _bind(self, name: str, value: ast.expr | None, schema: Schema) -> None:
        scope = self.scope
        is_again = name in scope.types
        scope.types[name] = united([scope.types[name], schema]) if is_again else schema
        constant = value.value if isinstance(value, ast.Constant) else None
        text = constant if isinstance(constant, str) and _is_unicode(constant) else None
        scope.texts[name] = None if is_again else text
        scope.dicts[name] = None if is_again else value
