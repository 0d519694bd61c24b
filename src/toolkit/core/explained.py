"""Settings as TOML in which each one is explained: what it means and what it may be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.core.config import Config

Schema = Mapping[str, Any]  # JSON schema, as pydantic makes it
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def explained(config: Config) -> str:
    """``config`` as TOML that ``load`` reads back; what is unset stands there commented out."""
    schema = type(config).model_json_schema()
    lines = _lines(config.model_dump(mode="json"), schema, schema.get("$defs", {}))
    return "\n".join(lines).strip() + "\n"


def _lines(
    values: Mapping[str, Any], schema: Schema, known: Mapping[str, Schema], prefix: str = ""
) -> Iterator[str]:
    about = schema.get("properties", {})
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    for name, value in values.items():
        if name not in tables:  # these come last, or they would take in what follows them
            yield _setting(name, value, _meaning(about.get(name, {})))
    for name, value in tables.items():
        inner = _table(about.get(name, {}), known)
        first, _, _ = str(inner.get("description", "")).partition("\n")
        yield from ("", f"[{prefix}{name}]" + (f"  # {first}" if first else ""))
        yield from _lines(value, inner, known, f"{prefix}{name}.")


def _table(schema: Schema, known: Mapping[str, Schema]) -> Schema:
    """The schema of a table, where its setting refers to one."""
    links = [one["$ref"] for one in (schema, *schema.get("anyOf", ())) if "$ref" in one]
    return known[links[0].rpartition("/")[2]] if links else schema


def _setting(name: str, value: Any, meaning: str) -> str:
    assigned = f"# {name} =" if value is None else f"{name} = {json.dumps(value)}"
    return f"{assigned}  # {meaning}" if meaning else assigned


def _meaning(schema: Schema) -> str:
    """Description, choices and bounds of one setting."""
    facts = {key: value for one in (*schema.get("anyOf", ()), schema) for key, value in one.items()}
    choices = "one of " + ", ".join(map(str, facts["enum"])) if "enum" in facts else ""
    bounds = ", ".join(f"{sign} {facts[key]}" for key, sign in _BOUNDS.items() if key in facts)
    return "; ".join(part for part in (facts.get("description", ""), choices, bounds) if part)
