#include "tools/config/codec_section.h"

namespace walden::cli {

codec::EncodeOptions CodecSection::encoding() const {
    codec::EncodeOptions options;
    options.method = method;
    options.wal_back_end = wal_back_end;
    options.level = level;
    options.worker_count = worker_count;
    return options;
}

std::vector<Setting<CodecSection>> codec_setting_table() {
    using Section = CodecSection;
    using codec::CodecId;
    return {
        setting("method", &Section::method,
                word_value<CodecId>({{"wal", CodecId::wal},
                                     {"zstd", CodecId::zstd},
                                     {"lz4", CodecId::lz4},
                                     {"none", CodecId::none}}),
                "\"wal\" takes segments apart, then zstd; \"zstd\", \"lz4\" or \"none\" do not"),
        setting("wal_back_end", &Section::wal_back_end,
                word_value<CodecId>({{"zstd", CodecId::zstd}, {"lz4", CodecId::lz4}}),
                "what compresses the parts of a segment that \"wal\" has taken apart: \"zstd\" or "
                "\"lz4\""),
        setting("level", &Section::level, number_value<int>(1, 19), "1 to 19, of zstd"),
    };
}

}  // namespace walden::cli
