// How contents are encoded, as the commands print it.
#pragma once

#include "catalog/codec_counts.h"
#include "tools/cli/json.h"

#include <string>

namespace walden::commands {

/// "60 wal, 4 zstd; not taken as WAL: 3 page_header, 1 record_crc".
[[nodiscard]] std::string codecs_text(const catalog::CodecCounts& counts);

/// {"contents": 64, "by_codec": {"wal": 60, ...}, "not_as_wal": {"page_header": 3, ...}}
[[nodiscard]] cli::Json codecs_json(const catalog::CodecCounts& counts);

}  // namespace walden::commands
