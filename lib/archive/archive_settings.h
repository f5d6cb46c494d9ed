// What archiving is told once, and what it tells of each file.
#pragma once

#include "archive/archive_policy.h"
#include "archive/membership.h"
#include "codec/codec.h"

#include <cstdint>
#include <string>
#include <vector>

namespace walden::archive {

struct ArchiveSettings {
    std::uint64_t system_identifier = 0;
    Instance instance;
    codec::EncodeOptions encoding;
    DamagedWalPolicy on_damaged_wal = DamagedWalPolicy::archive;
    std::string version;  ///< of walden
};

enum class ArchiveOutcome : std::uint8_t { stored, already_stored };

struct ArchiveResult {
    ArchiveOutcome outcome = ArchiveOutcome::stored;
    std::uint64_t plain_size = 0;
    std::uint64_t stored_size = 0;
    /// Why a segment, or a partial one, is not encoded as WAL though that was asked for.
    codec::PlainReason plain_reason = codec::PlainReason::none;
    std::vector<std::string> warnings;  ///< for a person; the file is archived all the same
};

}  // namespace walden::archive
