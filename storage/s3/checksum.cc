#include "storage/s3/checksum.h"

#include "base/hash.h"

#include <array>

namespace walden::storage::s3 {

namespace {

constexpr std::uint64_t polynomial = 0x9A6C9329AC4BC9B5;  // bits in reverse order

/// table[k][b]: the remainder of byte b with k zero bytes behind it, for eight bytes at a time.
constexpr auto table = [] {
    std::array<std::array<std::uint64_t, 256>, 8> rows{};
    for (std::uint64_t b = 0; b < 256; ++b) {
        std::uint64_t crc = b;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
        rows[0][b] = crc;
    }
    for (std::size_t k = 1; k < 8; ++k)
        for (std::size_t b = 0; b < 256; ++b)
            rows[k][b] = (rows[k - 1][b] >> 8) ^ rows[0][rows[k - 1][b] & 0xFF];
    return rows;
}();

}  // namespace

std::uint64_t crc64nvme(ByteView bytes, std::uint64_t crc) {
    crc = ~crc;
    while (bytes.size() >= 8) {
        const std::uint64_t word = crc ^ load_le<std::uint64_t>(bytes.data());
        crc = 0;
        for (std::size_t k = 0; k < 8; ++k) crc ^= table[7 - k][word >> 8 * k & 0xFF];
        bytes = bytes.subspan(8);
    }
    for (const std::byte b : bytes)
        crc = (crc >> 8) ^ table[0][(crc ^ static_cast<std::uint64_t>(b)) & 0xFF];
    return ~crc;
}

std::string encode_base64(ByteView bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < count ? static_cast<std::uint32_t>(bytes[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            text += k <= count ? digits[group >> (18 - 6 * k) & 0x3F] : '=';
    }
    return text;
}

std::string_view checksum_header(Checksum checksum) {
    switch (checksum) {
        case Checksum::crc32c: return "x-amz-checksum-crc32c";
        case Checksum::crc64nvme: return "x-amz-checksum-crc64nvme";
        case Checksum::none: return "";
    }
    return "";
}

std::string_view checksum_name(Checksum checksum) {
    switch (checksum) {
        case Checksum::crc32c: return "CRC32C";
        case Checksum::crc64nvme: return "CRC64NVME";
        case Checksum::none: return "";
    }
    return "";
}

std::string checksum_value(Checksum checksum, ByteView bytes) {
    std::byte number[8];
    switch (checksum) {
        case Checksum::crc32c:
            store_be(number, crc32c(bytes));
            return encode_base64(ByteView(number).first(4));
        case Checksum::crc64nvme: store_be(number, crc64nvme(bytes)); return encode_base64(number);
        case Checksum::none: break;
    }
    return "";
}

}  // namespace walden::storage::s3
