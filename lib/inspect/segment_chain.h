// Follows one line of segments and proves that each continues the one before.
#pragma once

#include "catalog/problem.h"
#include "vault/cluster_vault.h"
#include "wal/record_reader.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace walden::inspect {

struct ChainSettings {
    wal::SegmentSize segment_size;
    std::uint64_t system_identifier = 0;
    bool reads_contents = true;
};

struct ChainLink {
    std::vector<catalog::Problem> problems;
    std::optional<vault::Entry> entry;  ///< none if it could not be read
    std::uint64_t plain_bytes = 0;
    std::uint64_t record_count = 0;
};

/// One thread at a time.
class SegmentChain {
public:
    SegmentChain(const vault::ClusterVault& vault, ChainSettings settings)
        : vault_(vault), settings_(settings) {}

    /// Takes a segment that somebody else checks as the one before the first.
    void lead_in(const wal::SegmentName& name) { static_cast<void>(follow(name)); }

    /// Checks the segment: entry, content, facts, WAL records; and against the one followed before,
    /// if that is its neighbour, predecessor and the record that straddles the boundary.
    ChainLink follow(const wal::SegmentName& name);

private:
    ChainLink examine(const wal::SegmentName& name);
    void check_predecessor(const std::string& key, const vault::Entry& entry,
                           ChainLink& link) const;
    void check_wal(const std::string& key, const wal::SegmentName& name, const vault::Entry& entry,
                   ChainLink& link);

    const vault::ClusterVault& vault_;
    ChainSettings settings_;
    Bytes bytes_;
    std::optional<wal::SegmentName> before_;
    std::optional<wal::SegmentCarry> carry_;
};

}  // namespace walden::inspect
