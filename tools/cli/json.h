// The door to nlohmann-json: what --json prints.
#pragma once

#include "base/error.h"

#include <nlohmann/json.hpp>

namespace walden::cli {

/// Keeps the order in which members were set, so that output is stable to read.
using Json = nlohmann::ordered_json;

/// The version of what is printed: it grows where a member that was there goes or changes its
/// meaning, not where one is added.
inline constexpr int json_schema = 1;

/// Prints an object to stdout, indented, with a newline, the member "schema" before its own. Bytes
/// that are not UTF-8 are replaced.
void print_json(const Json& json);

/// {"schema": 1, "error": {"kind": "usage", "message": "...", "detail": "...", "hint": "..."}}:
/// what a command prints that could not do its work.
void print_json_error(const Error& error);

}  // namespace walden::cli
