#include "bench/wal_corpus.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace walden::bench {

namespace {

/// PostgreSQL's largest wal_segment_size.
constexpr std::size_t segment_size_max = std::size_t{1} << 30;

[[noreturn]] void fail_incomplete(const std::string& directory, std::string_view reason) {
    throw Error(ErrorKind::usage, format("\"{}\" is no WAL corpus: {}", directory, reason))
        .with_hint("Make one with bench/wal_corpus.py.");
}

/// Names of the folders or of the files in `directory`, ascending.
std::vector<std::string> names_in(const std::string& directory, std::filesystem::file_type wanted) {
    std::vector<std::string> names;
    std::error_code failure;
    for (std::filesystem::directory_iterator entry(directory, failure), end;
         !failure && entry != end; entry.increment(failure))
        if (entry->status().type() == wanted) names.push_back(entry->path().filename().string());
    if (failure)
        throw system_error(ErrorKind::io, format("list \"{}\"", directory), failure.value());
    std::sort(names.begin(), names.end());
    return names;
}

CorpusKind load_kind(const std::string& directory, std::string name, std::size_t segments_max) {
    CorpusKind kind{std::move(name), {}};
    for (const std::string& file : names_in(directory, std::filesystem::file_type::regular)) {
        if (kind.segments.size() == segments_max) break;
        auto bytes = read_file(format("{}/{}", directory, file), segment_size_max);
        if (!bytes) fail_incomplete(directory, format("\"{}\" went away", file));
        kind.segments.push_back({file, std::move(*bytes)});
    }
    if (kind.segments.empty()) fail_incomplete(directory, "it holds no segments");
    return kind;
}

}  // namespace

std::uint64_t CorpusKind::size() const {
    std::uint64_t size = 0;
    for (const CorpusSegment& segment : segments) size += segment.bytes.size();
    return size;
}

std::vector<CorpusKind> load_wal_corpus(const std::string& directory, std::size_t segments_max) {
    if (!std::filesystem::exists(format("{}/corpus.json", directory)))
        fail_incomplete(directory, "corpus.json is missing");
    std::vector<CorpusKind> kinds;
    for (std::string& name : names_in(directory, std::filesystem::file_type::directory)) {
        const std::string path = format("{}/{}", directory, name);
        kinds.push_back(load_kind(path, std::move(name), segments_max));
    }
    if (kinds.empty()) fail_incomplete(directory, "it holds no kinds");
    return kinds;
}

}  // namespace walden::bench
