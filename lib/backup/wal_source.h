// WAL that a backup looks into: where the server still has it, and else from the archive.
#pragma once

#include "vault/cluster_vault.h"
#include "wal/file_name.h"
#include "wal/record_reader.h"

#include <cstdint>
#include <optional>
#include <string>

namespace walden::backup {

/// Segments of one timeline. One thread at a time.
class WalSource {
public:
    struct Line {
        std::uint64_t system_identifier = 0;
        wal::TimelineId timeline = 0;
        wal::SegmentSize segment_size;
    };

    /// `vault` must outlive the source.
    WalSource(const vault::ClusterVault& vault, std::string pgdata, const Line& line)
        : vault_(vault), pgdata_(std::move(pgdata)), line_(line) {}

    [[nodiscard]] const Line& line() const { return line_; }

    [[nodiscard]] wal::SegmentName name_of(std::uint64_t number) const {
        return {.timeline = line_.timeline, .segment_number = number};
    }

    [[nodiscard]] std::string file_name(std::uint64_t number) const {
        return to_string(name_of(number), line_.segment_size);
    }

    /// The entry of a segment; nullopt if it is not archived.
    [[nodiscard]] std::optional<vault::StoredEntry> find_entry(std::uint64_t number) const;

    /// Reads the whole segment into `bytes`. False if it is neither in pg_wal nor to be had from
    /// the archive: not there, or this host's key cannot read it. The server may still be writing a
    /// segment in pg_wal. Throws Error(io), and what reading from the archive throws.
    [[nodiscard]] bool read(std::uint64_t number, Bytes& bytes) const;

    /// What read_segment() needs beside the bytes.
    [[nodiscard]] wal::SegmentInput input(std::uint64_t number, ByteView bytes) const {
        return {.bytes = bytes,
                .name = name_of(number),
                .segment_size = line_.segment_size,
                .system_identifier = line_.system_identifier,
                .carry_in = nullptr};
    }

private:
    [[nodiscard]] bool read_here(std::uint64_t number, Bytes& bytes) const;

    const vault::ClusterVault& vault_;
    std::string pgdata_;
    Line line_;
};

}  // namespace walden::backup
