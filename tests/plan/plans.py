"""Plans to export: one with everything in it, and one whose every text is hostile."""

from __future__ import annotations

from typing import Any

from instrument.plan.model import CodePlace, Emission, PersonalData, Plan, PlannedField, PlannedMessage, PlannedScope

USER = PlannedField(key="userId", name="user_id", type="int", schema={"type": "integer"}, scope="UserScope")
SHOP = PlannedField(key="shop", name="shop_id", type="int", schema={"type": "integer", "minimum": 1}, scope="ShopScope")


def scoped(field: PlannedField) -> PlannedField:
    """Return a field as its scope has it."""
    return field.model_copy(update={"scope": None})


SCOPES = (
    PlannedScope(
        name="ShopScope",
        class_name="ShopScope",
        module="shop.scopes",
        doc="The shop.",
        bases=("UserScope",),
        fields=(scoped(SHOP),),
        declared=CodePlace(file="shop/scopes.py", line=9),
    ),
    PlannedScope(
        name="UserScope",
        class_name="UserScope",
        module="shop.scopes",
        fields=(scoped(USER),),
        declared=CodePlace(file="shop/scopes.py", line=3),
    ),
)
PART = {
    "type": "object",
    "properties": {"price": {"type": "number"}, "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}}},
    "required": ["price"],
}
PAID = PlannedMessage(
    kind="track",
    name="Invoice Paid",
    class_name="InvoicePaid",
    module="shop.events",
    doc="An invoice was paid.\n\nBy whoever got it.",
    owner="billing",
    deprecated="Use Bill Paid.",
    scopes=("ShopScope",),
    ids=(USER,),
    properties=(
        SHOP,
        PlannedField(key="amount", name="amount", type="int", schema={"type": "integer"}, description="In cents."),
        PlannedField(
            key="method",
            name="method",
            type="Literal['card', 'cash']",
            schema={"type": "string", "enum": ["card", "cash"], "default": "card"},
            required=False,
        ),
        PlannedField(
            key="payer",
            name="payer",
            type="Annotated[str | None, PII('email')]",
            schema={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            required=False,
            deprecated=True,
            pii=(PersonalData(category="email", policy="hash"),),
        ),
        PlannedField(key="part", name="part", type="Part", schema={"$ref": "#/$defs/Part"}),
        PlannedField(
            key="pair",
            name="pair",
            type="tuple[int, str]",
            schema={
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
    ),
    definitions={"Part": PART},
    declared=CodePlace(file="shop/events.py", line=12),
    emissions=(
        Emission(handler="shop.web:pay", moment="success", place=CodePlace(file="shop/web.py", line=20)),
        Emission(handler="shop.jobs:repay", moment="direct", place=CodePlace(file="shop/jobs.py", line=4)),
    ),
)
START = PlannedMessage(
    kind="page",
    name="Start",
    class_name="StartPage",
    module="shop.pages",
    category="Docs",
    name_key="name",
    scopes=("UserScope",),
    ids=(USER,),
    declared=CodePlace(file="shop/pages.py", line=1),
)
KNOWN = PlannedMessage(
    kind="identify",
    class_name="Known",
    module="shop.events",
    name_key=None,
    payload="traits",
    scopes=("UserScope",),
    ids=(USER,),
    properties=(PlannedField(key="github", name="is_github", type="bool", schema={"type": "boolean"}),),
    declared=CodePlace(file="shop/events.py", line=40),
)
PLAN = Plan(name="shop", scopes=SCOPES, messages=(KNOWN, START, PAID))

HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "'); alert(1); ('",
    '=HYPERLINK("http://evil.example/","click")',
    "+1+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\uff1d1",
    "a|b\n| --- |\n# Heading",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png) <http://evil.example>",
    "**bold** _it_ `code` ``two`` ~~gone~~ $x$ \\",
    "*/ export const evil = 1; /*",
    "${alert(1)} {{ 7 * 7 }} {% raw %}",
    "\u202eesrever \u2066 \u200b \x1b[2J \x00 \x7f",
    "line one\r\nline two\u2028line three",
    "😀 ümlaut 中文",
    "constructor",
    "__proto__",
    "]]> --> <!--",
    "1. one",
    "# one",
)  # fmt: skip


def hostile_plan(text: str) -> Plan:
    """Return a plan in which everything that can be any text is this one."""
    field = PlannedField(
        key=text,
        name="field",
        type=text,
        schema={"type": "string", "default": text, "enum": [text, "a"], "pattern": text},
        description=text,
        deprecated=text,
    )
    kinds: list[dict[str, Any]] = [
        {"kind": "track", "name": text, "class_name": "Event"},
        {"kind": "page", "name": text, "class_name": "Visit", "category": text, "name_key": "name"},
        {"kind": "identify", "class_name": "Person", "name_key": None, "payload": "traits"},
    ]
    emission = Emission(handler=text, moment="success", place=CodePlace(file=text, line=1))
    return Plan(
        name=text,
        scopes=(
            PlannedScope(
                name=text,
                class_name="S",
                module=text,
                doc=text,
                fields=(scoped(USER), field),
                declared=CodePlace(file=text, line=1),
            ),
        ),
        messages=tuple(
            PlannedMessage(
                **each,
                module=text,
                doc=f"{text}\n\n{text}",
                owner=text,
                deprecated=text,
                scopes=(text,),
                ids=(USER.model_copy(update={"scope": text}),),
                properties=(field,),
                declared=CodePlace(file=text, line=1),
                emissions=(emission,),
            )
            for each in kinds
        ),
    )
