// What this host remembers of its own archiving, in one small file below state_dir.
//
// Everything in it can be lost, stale or damaged at any moment: it only saves proving again what
// the store and pg_wal prove (invariants 2 and 39, fault 27).
#pragma once

#include "crypto/content_id.h"
#include "crypto/key_bundle.h"
#include "vault/entry.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace walden::archive {

/// The last file that this instance archived on a timeline.
struct LastArchived {
    std::string file_name;
    crypto::ContentId content_id;
};

/// One thread at a time; other processes may use the same file.
class LocalState {
public:
    struct Owner {
        crypto::RepositoryId repository{};
        std::uint64_t system_identifier = 0;
        std::string pgdata;  ///< another data directory is another instance
    };

    /// Reads `<directory>/<cluster>-<sysid>.state`. A file that is missing, damaged or of another
    /// owner gives a fresh instance id. Never throws for what is wrong with the file.
    LocalState(const std::string& directory, const std::string& cluster, Owner owner);

    [[nodiscard]] const vault::InstanceId& instance() const { return instance_; }

    /// The claim generation of `timeline` that this instance owns or joined; 0 if none.
    [[nodiscard]] std::uint32_t membership(std::uint32_t timeline) const;

    void set_membership(std::uint32_t timeline, std::uint32_t generation) {
        memberships_[timeline] = generation;
    }

    [[nodiscard]] const std::optional<LastArchived>& last_archived() const { return last_; }

    void set_last_archived(LastArchived last) { last_ = std::move(last); }

    /// Replaces the file, durably: whoever has lost it must prove his descent anew, and cannot
    /// always (membership.h). False if that failed, for a warning.
    [[nodiscard]] bool save() const;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    bool parse(ByteView bytes);

    std::string directory_;
    std::string path_;
    Owner owner_;
    vault::InstanceId instance_{};
    std::map<std::uint32_t, std::uint32_t> memberships_;
    std::optional<LastArchived> last_;
};

}  // namespace walden::archive
