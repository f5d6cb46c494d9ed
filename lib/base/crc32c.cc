// CRC-32C with the CPU's instruction (SSE4.2, ARMv8 CRC) and a table where there is none.
//
// One CRC instruction has a latency of three cycles and a throughput of one, so long inputs are
// cut into three lanes that run at once and are joined by multiplying with x^(8n) modulo the
// polynomial (two table look-ups a byte of CRC). Short records take the single lane.
#include "base/hash.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace walden {

namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // reflected 0x1EDC6F41

constexpr std::array<std::uint32_t, 256> make_byte_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ polynomial : crc >> 1;
        table[i] = crc;
    }
    return table;
}

constexpr auto byte_table = make_byte_table();

std::uint32_t update_by_table(std::uint32_t crc, const std::byte* at, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
        crc = crc >> 8 ^ byte_table[(crc ^ static_cast<std::uint32_t>(at[i])) & 0xFF];
    return crc;
}

#if defined(__x86_64__) || (defined(__aarch64__) && defined(__linux__))

constexpr std::size_t lane_size = 1024;

/// Advances a CRC over `lane_size` zero bytes: a linear map, kept as four byte-indexed tables.
using ShiftTable = std::array<std::array<std::uint32_t, 256>, 4>;

/// a * b modulo the polynomial; bit 31 is x^0 (the reflected order that CRC-32C uses).
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
    std::uint32_t product = 0;
    for (int bit = 31; bit >= 0; --bit) {
        if ((a >> bit & 1) != 0) product ^= b;
        b = (b & 1) != 0 ? b >> 1 ^ polynomial : b >> 1;
    }
    return product;
}

constexpr ShiftTable make_shift_table() {
    std::uint32_t shift = std::uint32_t{1} << 23;  // x^8, one byte
    for (std::size_t bytes = 1; bytes < lane_size; bytes *= 2) shift = multiply(shift, shift);
    ShiftTable table{};
    for (std::size_t place = 0; place < 4; ++place) {
        std::array<std::uint32_t, 8> column{};
        for (std::size_t bit = 0; bit < 8; ++bit)
            column[bit] = multiply(shift, std::uint32_t{1} << (place * 8 + bit));
        for (std::uint32_t value = 0; value < 256; ++value)
            for (std::size_t bit = 0; bit < 8; ++bit)
                if ((value >> bit & 1) != 0) table[place][value] ^= column[bit];
    }
    return table;
}

constexpr ShiftTable shift_table = make_shift_table();

std::uint32_t shift_by_lane(std::uint32_t crc) {
    return shift_table[0][crc & 0xFF] ^ shift_table[1][crc >> 8 & 0xFF] ^
           shift_table[2][crc >> 16 & 0xFF] ^ shift_table[3][crc >> 24];
}

#if defined(__x86_64__)
#define WALDEN_CRC_TARGET __attribute__((target("sse4.2")))

WALDEN_CRC_TARGET inline std::uint32_t step8(std::uint32_t crc, const std::byte* at) {
    return static_cast<std::uint32_t>(_mm_crc32_u64(crc, load_le<std::uint64_t>(at)));
}

WALDEN_CRC_TARGET inline std::uint32_t step_word(std::uint64_t word) {
    return static_cast<std::uint32_t>(_mm_crc32_u64(0, word));
}

WALDEN_CRC_TARGET inline std::uint32_t step1(std::uint32_t crc, std::byte value) {
    return _mm_crc32_u8(crc, static_cast<unsigned char>(value));
}

bool cpu_has_crc() {
    return __builtin_cpu_supports("sse4.2") != 0;
}
#else
#define WALDEN_CRC_TARGET __attribute__((target("+crc")))

WALDEN_CRC_TARGET inline std::uint32_t step8(std::uint32_t crc, const std::byte* at) {
    return __crc32cd(crc, load_le<std::uint64_t>(at));
}

WALDEN_CRC_TARGET inline std::uint32_t step_word(std::uint64_t word) {
    return __crc32cd(0, word);
}

WALDEN_CRC_TARGET inline std::uint32_t step1(std::uint32_t crc, std::byte value) {
    return __crc32cb(crc, static_cast<std::uint8_t>(value));
}

bool cpu_has_crc() {
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#endif

/// The last bytes of an input, fewer than 8, without a loop whose length is hard to predict. A CRC
/// of zero does not change over leading zeros, so the CRC is xored into the bytes, these are moved
/// to the end of a word of zeros, and that word is taken in one step; what of the CRC lies beyond
/// fewer than four bytes is added as it would be shifted.
WALDEN_CRC_TARGET inline std::uint32_t step_rest(std::uint32_t crc, std::uint64_t rest,
                                                 std::size_t size) {
    const std::size_t shift = 8 * (7 - size);
    const std::uint64_t word = (rest ^ crc) << shift << 8;
    return step_word(word) ^ static_cast<std::uint32_t>(std::uint64_t{crc} >> 8 * size);
}

WALDEN_CRC_TARGET inline std::uint32_t update_by_instruction(std::uint32_t crc, const std::byte* at,
                                                             std::size_t size) {
    for (; size >= 3 * lane_size; at += 3 * lane_size, size -= 3 * lane_size) {
        std::uint32_t second = 0;
        std::uint32_t third = 0;
        for (std::size_t i = 0; i < lane_size; i += 8) {
            crc = step8(crc, at + i);
            second = step8(second, at + lane_size + i);
            third = step8(third, at + 2 * lane_size + i);
        }
        crc = shift_by_lane(shift_by_lane(crc) ^ second) ^ third;
    }
    if (size < 8) {
        for (; size > 0; ++at, --size) crc = step1(crc, *at);
        return crc;
    }
    const std::byte* const end = at + size;
    for (; size >= 8; at += 8, size -= 8) crc = step8(crc, at);
    // The last 8 bytes of the input hold the rest in their upper part.
    const std::uint64_t last = load_le<std::uint64_t>(end - 8);
    return step_rest(crc, last >> 8 >> 8 * (7 - size), size);
}

WALDEN_CRC_TARGET std::uint32_t update_with_instruction(std::uint32_t crc, ByteView bytes) {
    return update_by_instruction(crc, bytes.data(), bytes.size());
}

WALDEN_CRC_TARGET std::uint32_t crc_with_instruction(ByteView first, ByteView second) {
    const std::uint32_t crc = update_by_instruction(crc32c_start, first.data(), first.size());
    return update_by_instruction(crc, second.data(), second.size());
}

const bool has_crc_instruction = cpu_has_crc();

#endif

}  // namespace

std::uint32_t crc32c_update(std::uint32_t crc, ByteView bytes) {
#if defined(__x86_64__) || (defined(__aarch64__) && defined(__linux__))
    if (has_crc_instruction) return update_with_instruction(crc, bytes);
#endif
    return update_by_table(crc, bytes.data(), bytes.size());
}

std::uint32_t crc32c(ByteView first, ByteView second) {
#if defined(__x86_64__) || (defined(__aarch64__) && defined(__linux__))
    if (has_crc_instruction) return crc32c_finish(crc_with_instruction(first, second));
#endif
    return crc32c_finish(crc32c_update(crc32c_update(crc32c_start, first), second));
}

}  // namespace walden
