"""Writes TOML, which Python can only read."""

import json


def toml(value):
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value if isinstance(value, (int, float)) else str(value))


def toml_document(settings):
    """TOML of a dictionary whose dictionaries are tables."""
    lines = [f"{key} = {toml(value)}\n" for key, value in settings.items() if not isinstance(value, dict)]
    for table, content in settings.items():
        if isinstance(content, dict):
            lines.append(f"\n[{table}]\n")
            lines += [f"{key} = {toml(value)}\n" for key, value in content.items()]
    return "".join(lines)


def tables_of(settings):
    """{"codec": {"level": 3}} of {"codec.level": 3}."""
    tables = {}
    for name, value in settings.items():
        table, _, key = name.rpartition(".")
        (tables.setdefault(table, {}) if table else tables)[key] = value
    return tables
