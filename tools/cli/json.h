// The door to nlohmann-json: what --json prints.
#pragma once

#include <nlohmann/json.hpp>

namespace walden::cli {

/// Keeps the order in which members were set, so that output is stable to read.
using Json = nlohmann::ordered_json;

/// Prints to stdout, indented, with a newline. Bytes that are not UTF-8 are replaced.
void print_json(const Json& json);

}  // namespace walden::cli
