// Claims and identities: the small records of FORMAT.md, section 5.
#pragma once

#include "base/bytes.h"
#include "vault/entry.h"

#include <cstdint>
#include <string>

namespace walden::vault {

enum class ClaimReason : std::uint8_t { first_use = 1, adopted = 2 };

/// Who owns a timeline from this generation on.
struct Claim {
    std::uint32_t timeline = 0;
    std::uint32_t generation = 1;
    InstanceId instance{};
    std::int64_t time = 0;  ///< Unix seconds; a label
    std::string host;
    std::string pgdata;
    ClaimReason reason = ClaimReason::first_use;

    friend bool operator==(const Claim&, const Claim&) = default;
};

/// That a system identifier belongs to a cluster, written by `walden init`.
struct ClusterIdentity {
    std::uint64_t system_identifier = 0;
    std::uint32_t segment_size = 0;    ///< bytes
    std::uint16_t server_version = 0;  ///< PostgreSQL major
    std::int64_t time = 0;
    std::string host;

    friend bool operator==(const ClusterIdentity&, const ClusterIdentity&) = default;
};

[[nodiscard]] Bytes encode_claim(const Claim& claim);
[[nodiscard]] Bytes encode_identity(const ClusterIdentity& identity);

/// Throw Error(corrupt) for bytes that are not such a record, Error(usage) for a newer version.
[[nodiscard]] Claim decode_claim(ByteView bytes);
[[nodiscard]] ClusterIdentity decode_identity(ByteView bytes);

}  // namespace walden::vault
