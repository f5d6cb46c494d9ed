// backup_manifest: what the server says it has sent, behind the files (backup_manifest.c; "Backup
// Manifest Format" in PostgreSQL's documentation). JSON, which the server writes in lines:
//
//   { "PostgreSQL-Backup-Manifest-Version": 2,               1 up to PostgreSQL 16
//   "System-Identifier": 7428712937123,                      version 2 only
//   "Files": [
//   { "Path": "base/5/1259", "Size": 8192, "Last-Modified": "2026-11-29 08:00:00 GMT",
//     "Checksum-Algorithm": "CRC32C", "Checksum": "137c0bd7" },
//   ...                                                      one line each, the last without ","
//   ],
//   "WAL-Ranges": [
//   { "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }
//   ],
//   "Manifest-Checksum": "..."}                              SHA-256 of all lines before this one
//
// A name that is no UTF-8 is hex under "Encoded-Path". It is read by these lines, not as JSON in
// general, so that one line is all that is kept of a manifest of millions of files.
#pragma once

#include "base/bytes.h"
#include "base/sha256.h"
#include "wal/file_name.h"
#include "wal/lsn.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::pg {

struct ManifestFile {
    std::string path;  ///< relative to the data directory: "pg_tblspc/16384/PG_15_.../5/16400"
    std::uint64_t size = 0;
    std::optional<std::uint32_t> crc32c{};  ///< none if it has another checksum, or none
};

struct ManifestWalRange {
    wal::TimelineId timeline = 0;
    wal::Lsn start;
    wal::Lsn end;
};

/// What is not about single files.
struct ManifestSummary {
    int version = 0;
    std::optional<std::uint64_t> system_identifier{};  ///< from version 2 on
    std::vector<ManifestWalRange> wal_ranges{};
};

/// One manifest; one thread at a time.
class ManifestReader {
public:
    using OnFile = std::function<void(const ManifestFile&)>;

    explicit ManifestReader(OnFile on_file) : on_file_(std::move(on_file)) {}

    /// The next bytes, cut anywhere. Throws Error(corrupt) for what is not as above, and what
    /// on_file throws. Files are told before the checksum of the whole is known.
    void feed(ByteView bytes);

    /// The manifest is over. Throws Error(corrupt) if it is not whole, or its checksum is wrong.
    [[nodiscard]] ManifestSummary finish();

private:
    enum class Place : std::uint8_t { head, files, between, ranges, tail, end };

    void take_line(std::string_view line);
    void take_head(std::string_view line);
    void take_file(std::string_view line);
    void take_range(std::string_view line);
    void take_checksum(std::string_view line);

    OnFile on_file_;
    Place place_ = Place::head;
    std::string line_;  ///< as far as it has come
    Sha256 hash_;
    ManifestSummary summary_;
};

}  // namespace walden::pg
