#include "pg/control_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"

namespace walden::pg {

namespace {

// The struct differs between versions and configurations, but its CRC is always its last member
// and covers all before it; the rest of the file is zeros. PostgreSQL 13 to 18 have 240 to 320
// bytes.
constexpr std::size_t crc_offset_min = 200;
constexpr std::size_t crc_offset_max = 508;
constexpr std::size_t control_file_size_max = 64 << 10;

// Of ControlFileData, the same in all versions from 13 to 18: checkPoint, and in checkPointCopy (88
// bytes) ThisTimeLineID; behind it unloggedLSN, minRecoveryPoint, minRecoveryPointTLI.
constexpr std::size_t checkpoint_offset = 32;
constexpr std::size_t checkpoint_timeline_offset = 48;
constexpr std::size_t minimum_recovery_offset = 136;
constexpr std::size_t minimum_recovery_timeline_offset = 144;

WalPosition load_position(ByteView bytes, std::size_t lsn_offset, std::size_t timeline_offset) {
    return {.lsn = {load_le<std::uint64_t>(bytes.data() + lsn_offset)},
            .timeline = load_le<std::uint32_t>(bytes.data() + timeline_offset)};
}

/// The members before and after the segment size are the same in all versions; what comes before
/// them is not. They begin with a constant that tells floating-point formats apart
/// (FLOATFORMAT_VALUE), then: block size, blocks per file, WAL page size, segment size, all u32.
std::optional<wal::SegmentSize> find_segment_size(ByteView bytes) {
    constexpr std::uint64_t float_format = 0x4132D68700000000;  // 1234567.0
    constexpr std::size_t segment_size_distance = 8 + 3 * 4;
    for (std::size_t offset = 0; offset + segment_size_distance + 4 <= bytes.size(); offset += 8)
        if (load_le<std::uint64_t>(bytes.data() + offset) == float_format)
            return wal::SegmentSize::from_bytes(
                load_le<std::uint32_t>(bytes.data() + offset + segment_size_distance));
    return std::nullopt;
}

/// Where the CRC is; nullopt if none is right.
std::optional<std::size_t> find_crc(ByteView bytes) {
    for (std::size_t offset = crc_offset_min; offset <= crc_offset_max; offset += 4)
        if (offset + 4 <= bytes.size() &&
            load_le<std::uint32_t>(bytes.data() + offset) == crc32c(bytes.first(offset)))
            return offset;
    return std::nullopt;
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
    const WalPosition minimum =
        load_position(bytes, minimum_recovery_offset, minimum_recovery_timeline_offset);
    if (minimum.lsn.value != 0) control.minimum_recovery = minimum;
    control.segment_size = find_segment_size(bytes);
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
                format("\"{}\" is not a control file of PostgreSQL 13 to 18, or damaged", path));
    }
}

Bytes with_unusable_checkpoint(ByteView bytes) {
    constexpr std::uint64_t nowhere = 0xDEAD;
    const auto crc_offset = find_crc(bytes);
    if (!crc_offset) throw Error(ErrorKind::corrupt, "the control file of the backup is damaged");
    Bytes changed = to_bytes(bytes);
    store_le(changed.data() + checkpoint_offset, nowhere);
    store_le(changed.data() + *crc_offset, crc32c(ByteView(changed).first(*crc_offset)));
    return changed;
}

}  // namespace walden::pg
