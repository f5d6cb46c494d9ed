#include "vault/records.h"

#include "base/error.h"
#include "base/format.h"

namespace walden::vault {

namespace {

constexpr std::uint16_t record_version = 1;

void require_version(ByteReader& reader, std::string_view what) {
    const auto version = reader.read<std::uint16_t>();
    if (version == record_version) return;
    if (!reader.ok() || version == 0)
        throw Error(ErrorKind::corrupt, format("{} is malformed", what));
    throw Error(
        ErrorKind::usage,
        format("{} format {} is newer than this version of walden understands", what, version))
        .with_hint("Upgrade walden on this host.");
}

void require_used_up(const ByteReader& reader, std::string_view what) {
    if (!reader.ok() || reader.remaining() != 0)
        throw Error(ErrorKind::corrupt, format("{} is malformed", what));
}

}  // namespace

Bytes encode_claim(const Claim& claim) {
    Bytes out;
    ByteWriter writer(out);
    writer.write(record_version);
    writer.write(claim.timeline);
    writer.write(claim.generation);
    writer.write_bytes(claim.instance);
    writer.write(static_cast<std::uint64_t>(claim.time));
    writer.write_text(claim.host);
    writer.write_text(claim.pgdata);
    writer.write(static_cast<std::uint8_t>(claim.reason));
    return out;
}

Claim decode_claim(ByteView bytes) {
    ByteReader reader(bytes);
    require_version(reader, "claim");
    Claim claim;
    claim.timeline = reader.read<std::uint32_t>();
    claim.generation = reader.read<std::uint32_t>();
    claim.instance = reader.read_array<16>();
    claim.time = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    claim.host = reader.read_text();
    claim.pgdata = reader.read_text();
    const auto reason = reader.read<std::uint8_t>();
    require_used_up(reader, "claim");
    if (reason < 1 || reason > 2) throw Error(ErrorKind::corrupt, "claim is malformed: reason");
    claim.reason = static_cast<ClaimReason>(reason);
    return claim;
}

Bytes encode_identity(const ClusterIdentity& identity) {
    Bytes out;
    ByteWriter writer(out);
    writer.write(record_version);
    writer.write(identity.system_identifier);
    writer.write(identity.segment_size);
    writer.write(identity.server_version);
    writer.write(static_cast<std::uint64_t>(identity.time));
    writer.write_text(identity.host);
    return out;
}

ClusterIdentity decode_identity(ByteView bytes) {
    ByteReader reader(bytes);
    require_version(reader, "cluster identity");
    ClusterIdentity identity;
    identity.system_identifier = reader.read<std::uint64_t>();
    identity.segment_size = reader.read<std::uint32_t>();
    identity.server_version = reader.read<std::uint16_t>();
    identity.time = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    identity.host = reader.read_text();
    require_used_up(reader, "cluster identity");
    return identity;
}

}  // namespace walden::vault
