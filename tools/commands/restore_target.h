// The options that say where a recovery is to stop: of restore and preview.
#pragma once

#include "restore/restore_plan.h"
#include "tools/cli/command_line.h"

#include <string>

namespace walden::commands {

struct TargetOptions {
    bool is_latest = false;
    bool is_immediate = false;
    bool accepts_damage = false;
    std::string time;
    std::string xid;
    std::string before_xid;
    std::string lsn;
    std::string name;
    std::string timeline;
    std::string backup;
};

/// `options` must live as long as the command line.
void add_target_options(const cli::Command& command, TargetOptions& options);

/// Throws Error(usage) for no target, for two, and for a value that is none.
[[nodiscard]] restore::RestoreQuestion to_question(const TargetOptions& options);

/// Of the cluster, as `walden init` registered it. Throws Error(corrupt) for a size that is none.
[[nodiscard]] wal::SegmentSize segment_size_of(const vault::ClusterIdentity& identity);

/// "the end of the archived WAL", "time 2026-06-04 14:31:59+00".
[[nodiscard]] std::string target_text(const restore::RestoreQuestion& question);

}  // namespace walden::commands
