#include "tools/commands/codec_text.h"

#include "base/format.h"

namespace walden::commands {

namespace {

template <class Counts>
std::string list_text(const Counts& counts) {
    std::string text;
    for (const auto& [what, count] : counts)
        text += format("{}{} {}", text.empty() ? "" : ", ", count, to_string(what));
    return text;
}

template <class Counts>
cli::Json list_json(const Counts& counts) {
    cli::Json json = cli::Json::object();
    for (const auto& [what, count] : counts) json[std::string(to_string(what))] = count;
    return json;
}

}  // namespace

std::string codecs_text(const catalog::CodecCounts& counts) {
    std::string text = list_text(counts.codecs);
    if (!counts.plain_reasons.empty())
        text += format("; not taken as WAL: {}", list_text(counts.plain_reasons));
    return text;
}

cli::Json codecs_json(const catalog::CodecCounts& counts) {
    return {{"contents", counts.content_count},
            {"by_codec", list_json(counts.codecs)},
            {"not_as_wal", list_json(counts.plain_reasons)}};
}

}  // namespace walden::commands
