// The little JSON that credential services answer with: one object of texts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace walden::storage::s3 {

using FlatJson = std::map<std::string, std::string>;

/// The members of a JSON object whose values are texts; numbers, true, false and null are passed
/// over. nullopt for anything else: other JSON, nested values, a member twice, bytes behind the
/// end.
[[nodiscard]] std::optional<FlatJson> parse_flat_json(std::string_view text);

}  // namespace walden::storage::s3
