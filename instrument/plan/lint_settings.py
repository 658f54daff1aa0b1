"""What a project wants of the linter: `[tool.instrument.lint]` in pyproject.toml."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

_ALL = ("IP",)


class LintSettings(BaseModel):
    """The settings of the linter; in pyproject.toml their names have hyphens."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )

    select: tuple[str, ...] = _ALL
    """The rules, by their codes or how these begin."""
    ignore: tuple[str, ...] = ()
    """Those of them that are switched off."""
    per_event_ignores: dict[str, tuple[str, ...]] = Field(default={})
    """Those that are switched off for some messages: by name, class or `module:Class`, with wildcards as of a shell."""
    tense: Literal["majority", "past", "present"] = "majority"
    """The tense of the verbs in event names; that of most of them, if it is not said."""
    verbs: tuple[str, ...] = ()
    """Verbs that the linter does not know."""
    pii_names: tuple[str, ...] = ()
    """Words of property names that look like personal data, besides the usual ones."""
