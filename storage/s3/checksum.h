// The checksums that S3 can keep beside an object, as their headers have them.
#pragma once

#include "base/bytes.h"
#include "storage/s3/s3_settings.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace walden::storage::s3 {

/// CRC-64/NVME (NVM Express, "64b CRC"), continuing from `crc`, which starts as 0.
[[nodiscard]] std::uint64_t crc64nvme(ByteView bytes, std::uint64_t crc = 0);

/// Base64 with padding (RFC 4648, section 4).
[[nodiscard]] std::string encode_base64(ByteView bytes);

/// "x-amz-checksum-crc32c"; empty for none.
[[nodiscard]] std::string_view checksum_header(Checksum checksum);

/// "CRC32C", for x-amz-checksum-algorithm; empty for none.
[[nodiscard]] std::string_view checksum_name(Checksum checksum);

/// What that header holds for `bytes`: base64 of the big-endian number.
[[nodiscard]] std::string checksum_value(Checksum checksum, ByteView bytes);

}  // namespace walden::storage::s3
