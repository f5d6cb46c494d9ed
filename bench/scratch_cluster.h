// A data directory and a repository for whole-program benchmarks, without a server: the parts of a
// data directory that walden reads (pg_control, PG_VERSION, one segment), made from a segment.
#pragma once

#include <string>

#include "base/bytes.h"

namespace walden::bench {

/// Lives in a directory of its own below `parent`, removed at the end. Throws Error(io).
class ScratchCluster {
public:
    /// `programs` is the directory with walden and walden-push; `segment` a whole segment file named
    /// `segment_name`; `settings` more lines for the configuration.
    ScratchCluster(const std::string& parent, std::string programs, std::string segment_name,
                   ByteView segment, const std::string& settings);

    ScratchCluster(const ScratchCluster&) = delete;
    ScratchCluster& operator=(const ScratchCluster&) = delete;
    ~ScratchCluster();

    [[nodiscard]] const std::string& pgdata() const { return pgdata_; }

    [[nodiscard]] const std::string& config() const { return config_; }

    [[nodiscard]] std::string segment_path() const { return "pg_wal/" + segment_name_; }

    /// Puts the repository back to what `walden init` made: nothing archived.
    void empty_archive() const;

    /// Bytes of all objects that archiving has added.
    [[nodiscard]] std::uint64_t archived_bytes() const;

private:
    std::string directory_;
    std::string segment_name_;
    std::string pgdata_;
    std::string config_;
};

}  // namespace walden::bench
