// [codec] of the configuration.
#pragma once

#include "base/setting.h"
#include "codec/codec.h"

#include <cstddef>
#include <vector>

namespace walden::cli {

struct CodecSection {
    codec::CodecId method = codec::CodecId::wal;
    codec::CodecId wal_back_end = codec::CodecId::zstd;
    int level = 1;
    std::size_t worker_count = 2;  ///< threads of one process; no setting

    [[nodiscard]] codec::EncodeOptions encoding() const;
};

[[nodiscard]] std::vector<Setting<CodecSection>> codec_setting_table();

}  // namespace walden::cli
