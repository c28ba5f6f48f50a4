"""docs/configuration.md, made from the schema: ``python -m polyhost.config.reference > FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from polyhost.config.kinds import NONE
from polyhost.config.schema import SCHEMA, Field, Section, variable_of

INTRODUCTION = """\
# Configuration

This page is made from the schema by `python -m polyhost.config.reference > docs/configuration.md`.

`polyhost serve polyhost.yaml` (or `--config FILE`, or nothing at all in a folder that has a
`polyhost.yaml`) serves what the file says:

```yaml
port: 8080
limits:
  body_budget: 4GiB
defaults:
  limits:
    deadline: 30s
models:
  prices: models/prices          # short for path: models/prices
  churn:
    path: models/churn
    version: "7"
    replicas: 2
    target:
      type: binary
      positive_class_label: "yes"
      negative_class_label: "no"
    environment:
      OMP_NUM_THREADS: "1"
    batching: off
    limits:
      deadline: 2m
      memory: 512MiB
```

`polyhost config check` reports every mistake at once, each with its line; `polyhost config show`
prints each setting in effect with its source, secrets masked; `--json` is for programs.

## Where a value comes from

The first of these that has one:

1. a flag of the command line; one that speaks of a model speaks of every model
2. an environment variable: `POLYHOST__` and the setting's name in capitals, two underscores for a
   dot: `limits.max_header` is `POLYHOST__LIMITS__MAX_HEADER`, items of a list with commas between
3. the file: for a model what is under its name, then what is under `defaults`
4. for a model's target, its `model-metadata.yaml`; one that says otherwise than the above is an error
5. the default

## How values are written

- A size: `512MiB`, `1.5GB`, `64K`; `K`, `M`, `G` and `T` alone are binary, a bare number is bytes.
- A duration: `30s`, `2m`, `1h30m`, `250ms`; a bare number is seconds.
- `none` takes a limit away. An empty value is a mistake.
- A path is of the file's folder, a flag's or a variable's of the current one. A model's path may
  also be an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2`, `.tar.xz`) or an address
  (`models:/NAME/1`, `s3://bucket/model`; see sources.md): these become versions in the store.
- YAML's anchors, aliases and tags are refused; what models share goes under `defaults`. A file has
  each key once.
"""


def render() -> str:
    """The page."""
    return INTRODUCTION + "".join(_sections(SCHEMA, "", "The server"))


def _sections(section: Section, prefix: str, title: str) -> Iterator[str]:
    yield f"\n## {title}\n"
    if section.help:
        yield f"\n{section.help[0].upper()}{section.help[1:]}.\n"
    if section.short:
        yield f"A bare value in its place is `{section.short}`.\n" if not section.many else ""
    fields = [part for part in section.fields if isinstance(part, Field)]
    if fields:
        yield "\n| setting | value | default | flag, variable | what |\n|---|---|---|---|---|\n"
        yield from (_row(field, prefix) for field in fields)
    for part in section.fields:
        if isinstance(part, Section) and prefix != "defaults.":
            below = f"{prefix}{part.name}" + {"map": ".NAME", "list": "[]"}.get(part.many, "")
            yield from _sections(part, f"{below}.", f"`{below}`")
    if prefix == "defaults.":
        parts = [f"`{part.name}`" for part in section.fields if isinstance(part, Section)]
        yield f"\nAlso {' and '.join(parts)}, as under `models.NAME`.\n"


def _row(field: Field, prefix: str) -> str:
    value = {"list": "list of: ", "map": "names to: "}.get(field.many, "") + field.kind.expected
    default = "required" if field.required else _default(field)
    # A model's own settings have no variable; those of defaults and of the server do.
    regular = "NAME" not in prefix and "[]" not in prefix and field.many != "map"
    twins = [field.flag, field.variable, variable_of(prefix + field.name) if regular else ""]
    others = ", ".join(
        f"`{twin}`" for twin in twins if twin and not _is_shared(field, prefix, twin)
    )
    cells = (f"`{field.name}`", value, default, others, field.help)
    return "".join(f"| {cell} ".replace("|", "\\|")[1:] for cell in cells) + "|\n"


def _is_shared(field: Field, prefix: str, twin: str) -> bool:
    """A flag that is about models is listed with the models."""
    return prefix.startswith("defaults.") and twin == field.flag


def _default(field: Field) -> str:
    if field.many or (field.default is None and not field.kind.expected.endswith(NONE)):
        return ""
    shown = field.kind.show(field.default)
    return f"`{shown}`" if shown else "empty"


if __name__ == "__main__":
    sys.stdout.write(render())
