// A data directory and a repository for whole-program benchmarks, without a server: the parts of a
// data directory that walden reads (pg_control, PG_VERSION, two segments), made from a segment.
#pragma once

#include "bench/wal_corpus.h"

#include <string>

namespace walden::bench {

/// Lives in a directory of its own below `parent`, removed at the end. Throws Error(io).
class ScratchCluster {
public:
    /// `programs` is the directory with walden and walden-push. `before` is archived already, as in
    /// any archive but a new one: the first segment of a timeline pays for the timeline's claim and
    /// for directories, each with a sync of its own.
    ScratchCluster(const std::string& parent, const std::string& programs,
                   const CorpusSegment& before, const CorpusSegment& segment);

    ScratchCluster(const ScratchCluster&) = delete;
    ScratchCluster& operator=(const ScratchCluster&) = delete;
    ~ScratchCluster();

    [[nodiscard]] const std::string& pgdata() const { return pgdata_; }

    [[nodiscard]] const std::string& config() const { return config_; }

    [[nodiscard]] std::string segment_path() const { return "pg_wal/" + segment_name_; }

    /// Puts repository and local state back to where only `before` is archived.
    void reset_archive() const;

    /// Bytes of all objects that archiving has added to that.
    [[nodiscard]] std::uint64_t archived_bytes() const;

private:
    [[nodiscard]] std::uint64_t object_bytes(const std::string& store) const;

    std::string directory_;
    std::string segment_name_;
    std::string pgdata_;
    std::string config_;
};

}  // namespace walden::bench
