"""Annotations out of JSON Schemas: what `datamodel-code-generator` makes of them, read from its source code.

Its names for classes and fields are not used: the schemas have ids for both, and the names are ours.
"""

from __future__ import annotations

import ast
import json
import warnings
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from instrument.plan.codegen.problems import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instrument.plan.codegen.reduction import Member, Schema

_EVERYTHING = "Everything"
_WHOLE_MODULE = "datetime"  # its names are common keys of plans too, so that it is imported whole, as `dt`


@dataclass(frozen=True, slots=True)
class Annotation:
    """The type of a field.

    Attributes:
        tree: the annotation, with the ids of nested objects.
        constraints: what else `Field` has to say, as source code by keyword.
        imports: by name, the module that it comes from.
        refers_to: the ids of nested objects in it.
        admits_none: whether `None` fits it.
    """

    tree: ast.expr
    constraints: Mapping[str, str]
    imports: Mapping[str, str]
    refers_to: frozenset[str]
    admits_none: bool

    def written(self, names: Mapping[str, str]) -> str:
        """Return the source code.

        Args:
            names: by the id of a nested object, the name of its class.
        """
        classes = {id_: ast.Name(names[id_]) for id_ in self.refers_to}
        return ast.unparse(_Replaced(classes).visit(deepcopy(self.tree)))


def annotate(objects: Mapping[str, Sequence[Member]]) -> dict[str, list[Annotation]]:
    """Return the annotations of the members of each object.

    Args:
        objects: by id: a letter and a number, as the reduced schemas refer to it.

    Raises:
        MissingExtra: `datamodel-code-generator` is not installed.
    """
    # Most properties of a plan are of few types, each of which is asked for once.
    schemas = {_text(member.schema): member.schema for members in objects.values() for member in members}
    found = dict(zip(schemas, _annotated(list(schemas.values()), frozenset(objects)), strict=True))
    return {id_: [found[_text(each.schema)] for each in members] for id_, members in objects.items()}


def _text(schema: Schema) -> str:
    return json.dumps(schema, sort_keys=True)


def _annotated(schemas: Sequence[Schema], objects: frozenset[str]) -> list[Annotation]:
    if not schemas:
        return []
    module = ast.parse(_generated(schemas, objects))
    modules = {
        alias.asname or alias.name: node.module or ""
        for node in module.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    fields = {node.name: _fields(node) for node in module.body if isinstance(node, ast.ClassDef)}
    # A type with constraints inside of another one comes as a class around it.
    roots = {name: each["root"] for name, each in fields.items() if name not in objects and "root" in each}
    trees = [_inlined(fields[_EVERYTHING][_field(index)], roots) for index in range(len(schemas))]
    return [_annotation(tree, modules, objects) for tree in trees]


def _generated(schemas: Sequence[Schema], objects: frozenset[str]) -> str:
    try:
        import datamodel_code_generator as generator  # noqa: PLC0415 - of an extra
        from datamodel_code_generator.enums import DataModelType  # noqa: PLC0415
        from datamodel_code_generator.format import PythonVersion  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "datamodel-code-generator") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generated: Any = generator.generate(
            _document(schemas, objects),
            input_file_type=generator.InputFileType.JsonSchema,
            output_model_type=DataModelType.PydanticV2BaseModel,
            target_python_version=PythonVersion.PY_310,
            enum_field_as_literal=generator.LiteralType.All,
            field_constraints=True,
            use_annotated=True,
            use_standard_collections=True,
            use_union_operator=True,
            disable_timestamp=True,
            allow_remote_refs=False,
            formatters=[],
        )
    return cast("str", generated)


def _document(schemas: Sequence[Schema], objects: frozenset[str]) -> Schema:
    names = list(map(_field, range(len(schemas))))
    some: Schema = {"type": "object", "properties": {"f": {"type": "string"}}}
    return {
        "title": _EVERYTHING,
        "type": "object",
        "properties": dict(zip(names, schemas, strict=True)),
        "required": names,  # so that the annotation says nothing of whether the field has a default
        "$defs": dict.fromkeys(sorted(objects), some),
    }


def _field(index: int) -> str:
    return f"f{index}"


def _fields(node: ast.ClassDef) -> dict[str, ast.expr]:
    return {
        each.target.id: each.annotation
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }


def _annotation(node: ast.expr, modules: Mapping[str, str], objects: frozenset[str]) -> Annotation:
    inner, constraints = _without_field(node)
    names = {each.id for each in ast.walk(inner) if isinstance(each, ast.Name)}
    imports = {name: modules[name] for name in names if name in modules and modules[name] != _WHOLE_MODULE}
    if any(modules.get(name) == _WHOLE_MODULE for name in names):
        imports["dt"] = _WHOLE_MODULE
    return Annotation(
        tree=_Qualified(modules).visit(inner),
        constraints=constraints,
        imports=imports,
        refers_to=frozenset(names & objects),
        admits_none=_admits_none(inner),
    )


def _without_field(node: ast.expr) -> tuple[ast.expr, dict[str, str]]:
    """Take `Annotated[…, Field(…)]` apart."""
    if not (isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated"):
        return node, {}
    inner, call = cast("ast.Tuple", node.slice).elts
    assert isinstance(call, ast.Call)
    return inner, {str(each.arg): ast.unparse(each.value) for each in call.keywords}


def _admits_none(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _admits_none(node.left) or _admits_none(node.right)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
        values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return any(isinstance(each, ast.Constant) and each.value is None for each in values)
    return ast.unparse(node) in {"None", "Any"}


def _inlined(node: ast.expr, types: Mapping[str, ast.expr]) -> ast.expr:
    """Write types for the names of the classes that are around them."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} & types.keys()
    inner = {name: _inlined(types[name], types) for name in names}
    return cast("ast.expr", _Replaced(inner).visit(deepcopy(node)))


class _Replaced(ast.NodeTransformer):
    """Writes other expressions for names."""

    def __init__(self, expressions: Mapping[str, ast.expr]) -> None:
        self._expressions = expressions

    @override
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._expressions.get(node.id, node)


class _Qualified(ast.NodeTransformer):
    """Writes `dt.date` for `date`."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    @override
    def visit_Name(self, node: ast.Name) -> ast.expr:
        if self._modules.get(node.id) != _WHOLE_MODULE:
            return node
        return ast.Attribute(ast.Name("dt", ast.Load()), node.id, ast.Load())
