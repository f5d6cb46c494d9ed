#include "pg/control_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"

#include <bit>

namespace walden::pg {

namespace {

// The struct differs between versions and configurations, but its CRC is always its last member
// and covers all before it; the rest of the file is zeros. PostgreSQL 13 to 18 have 240 to 320
// bytes.
constexpr std::size_t crc_offset_min = 200;
constexpr std::size_t crc_offset_max = 508;
constexpr std::size_t control_file_size_max = 64 << 10;

// Of ControlFileData, the same in all versions from 13 to 18: checkPoint, and in checkPointCopy (88
// bytes) redo, ThisTimeLineID and, one byte, fullPageWrites; behind it unloggedLSN,
// minRecoveryPoint, minRecoveryPointTLI.
constexpr std::size_t checkpoint_offset = 32;
constexpr std::size_t redo_offset = 40;
constexpr std::size_t checkpoint_timeline_offset = 48;
constexpr std::size_t full_page_writes_offset = 56;
constexpr std::size_t minimum_recovery_offset = 136;
constexpr std::size_t minimum_recovery_timeline_offset = 144;

WalPosition load_position(ByteView bytes, std::size_t lsn_offset, std::size_t timeline_offset) {
    return {.lsn = {load_le<std::uint64_t>(bytes.data() + lsn_offset)},
            .timeline = load_le<std::uint32_t>(bytes.data() + timeline_offset)};
}

constexpr bool is_page_size(std::uint32_t bytes) {
    return std::has_single_bit(bytes) && bytes >= 1024 && bytes <= 32768;
}

/// These members are the same in all versions; what comes before them is not. They begin with a
/// constant that tells floating-point formats apart (FLOATFORMAT_VALUE), then: block size, blocks
/// per file, WAL page size, segment size, five more u32 (names, indexes, toast, large objects, a
/// bool), and the version of the page checksums.
std::optional<ClusterGeometry> find_geometry(ByteView bytes) {
    constexpr std::uint64_t float_format = 0x4132D68700000000;  // 1234567.0
    constexpr std::size_t size = 8 + 10 * 4;
    for (std::size_t offset = 0; offset + size <= bytes.size(); offset += 8) {
        ByteReader reader(bytes.subspan(offset));
        if (reader.read<std::uint64_t>() != float_format) continue;
        ClusterGeometry geometry;
        geometry.page_size = reader.read<std::uint32_t>();
        geometry.pages_per_file = reader.read<std::uint32_t>();
        geometry.wal_page_size = reader.read<std::uint32_t>();
        const auto segment_size = wal::SegmentSize::from_bytes(reader.read<std::uint32_t>());
        static_cast<void>(reader.read_bytes(5 * 4));
        geometry.checksum_version = reader.read<std::uint32_t>();
        if (!segment_size || !is_page_size(geometry.page_size) || geometry.pages_per_file == 0)
            return std::nullopt;
        geometry.segment_size = *segment_size;
        return geometry;
    }
    return std::nullopt;
}

/// Where the CRC of a control file lies; nullopt if there is none that is right.
std::optional<std::size_t> find_crc(ByteView bytes) {
    for (std::size_t offset = crc_offset_min; offset <= crc_offset_max; offset += 4)
        if (offset + 4 <= bytes.size() &&
            load_le<std::uint32_t>(bytes.data() + offset) == crc32c(bytes.first(offset)))
            return offset;
    return std::nullopt;
}

/// PG_CONTROL_VERSION is the second member in every version.
std::string describe_version(ByteView bytes) {
    constexpr std::size_t version_offset = 8;
    if (bytes.size() < version_offset + 4) return format("It has {} bytes.", bytes.size());
    return format(
        "Its version number is {}; PostgreSQL 13 to 16 write 1300, 17 writes 1700, 18 "
        "writes 1800.",
        load_le<std::uint32_t>(bytes.data() + version_offset));
}

}  // namespace

std::optional<ControlFile> parse_control_file(ByteView bytes) {
    if (!find_crc(bytes)) return std::nullopt;
    ByteReader reader(bytes);
    ControlFile control;
    control.system_identifier = reader.read<std::uint64_t>();
    control.control_version = reader.read<std::uint32_t>();
    control.catalog_version = reader.read<std::uint32_t>();
    const auto state = reader.read<std::uint32_t>();
    if (state > static_cast<std::uint32_t>(ClusterState::in_production)) return std::nullopt;
    control.state = static_cast<ClusterState>(state);
    control.checkpoint = load_position(bytes, checkpoint_offset, checkpoint_timeline_offset);
    control.redo = {load_le<std::uint64_t>(bytes.data() + redo_offset)};
    control.has_full_page_writes = bytes[full_page_writes_offset] != std::byte{0};
    const WalPosition minimum =
        load_position(bytes, minimum_recovery_offset, minimum_recovery_timeline_offset);
    if (minimum.lsn.value != 0) control.minimum_recovery = minimum;
    control.geometry = find_geometry(bytes);
    if (control.geometry) control.segment_size = control.geometry->segment_size;
    return control;
}

std::optional<ControlFile> read_control_file(const std::string& pgdata) {
    const std::string path = pgdata + "/global/pg_control";
    constexpr int attempts = 5;
    for (int attempt = 1;; ++attempt) {
        const auto bytes = read_file(path, control_file_size_max);
        if (!bytes) return std::nullopt;
        if (auto control = parse_control_file(*bytes)) return control;
        if (attempt == attempts)
            throw Error(
                ErrorKind::corrupt,
                format("\"{}\" is not a control file of PostgreSQL 13 to 18, or damaged", path))
                .with_detail(describe_version(*bytes));
    }
}

std::optional<int> major_version_of(std::uint32_t catalog_version) {
    switch (catalog_version) {
        case 202007201: return 13;
        case 202107181: return 14;
        case 202209061: return 15;
        case 202307071: return 16;
        case 202406281: return 17;
        case 202506291: return 18;
        default: return std::nullopt;
    }
}

Bytes with_unusable_checkpoint(ByteView bytes) {
    const auto crc_offset = find_crc(bytes);
    if (!crc_offset) throw Error(ErrorKind::corrupt, "the control file of the backup is damaged");
    Bytes unusable = to_bytes(bytes);
    store_le(&unusable[checkpoint_offset], unusable_checkpoint.value);
    store_le(&unusable[*crc_offset], crc32c(ByteView(unusable).first(*crc_offset)));
    return unusable;
}

}  // namespace walden::pg
