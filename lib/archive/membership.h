// Who may add to a timeline (lib/vault/FORMAT.md, section 6; faults 21, 22, 24; invariant 10).
//
// Two restores that cannot see each other fork the same timeline number with byte-identical history
// files, so the name of a timeline proves nothing. The first push claims it for an instance; others
// join by showing that they hold the same WAL, or are refused by name.
#pragma once

#include "archive/local_state.h"
#include "vault/cluster_vault.h"
#include "wal/file_name.h"

#include <cstdint>
#include <string>

namespace walden::archive {

/// Who this process pushes for.
struct Instance {
    std::string host;  ///< host name and a part of the machine id
    std::string pgdata;
    wal::SegmentSize segment_size;
};

class Membership {
public:
    /// All of them must outlive the object. One thread at a time.
    Membership(const vault::ClusterVault& vault, LocalState& state, const Instance& instance)
        : vault_(vault), state_(state), instance_(instance) {}

    /// The file about to be pushed.
    struct Push {
        wal::WalFileName name;
        std::string wal_directory;  ///< where it lies, and its neighbours
    };

    /// Returns if this instance owns the timeline, has joined it before, can join it now, or is
    /// the first on it and has claimed it. Throws Error(conflict) naming both instances otherwise.
    void require(const Push& push);

    /// Makes this instance the owner of `timeline` from now on, on an operator's word. Returns the
    /// new claim.
    vault::Claim adopt(wal::TimelineId timeline, std::int64_t time);

private:
    bool holds_same_wal(const Push& push, const vault::NewestClaim& claim) const;
    bool continues_archive(const Push& push) const;
    bool has_equal_history(const Push& push) const;
    void claim_first(const Push& push);
    void join(const Push& push, const vault::NewestClaim& claim);
    [[noreturn]] void refuse(const Push& push, const vault::NewestClaim& claim) const;

    const vault::ClusterVault& vault_;
    LocalState& state_;
    const Instance& instance_;
};

/// The host's name and the first digits of its machine id: "db1#4f2c81aa".
[[nodiscard]] std::string describe_host();

}  // namespace walden::archive
