// Thirty-two FNV-1a sums run side by side, each over every 32nd word of the page. PostgreSQL chose
// that so that vectors can do it: four of eight lanes with AVX2.
#include "base/page_checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <array>
#include <cassert>
#include <cstring>

namespace walden {

namespace {

constexpr std::size_t sum_count = 32;

static_assert(sum_count * sizeof(std::uint32_t) == page_checksum_unit);

constexpr std::uint32_t prime = 16777619;

/// Where the 32 sums begin; random numbers that are part of PostgreSQL's format.
constexpr std::array<std::uint32_t, sum_count> starts = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

/// The bits of a page's third word that are not its checksum.
constexpr std::uint32_t beside_checksum = 0xFFFF0000;

/// So many rounds of zeros after the page.
constexpr int final_rounds = 2;

/// Four lanes, which every x86-64 and aarch64 has.
using Lanes = std::uint32_t __attribute__((vector_size(16)));

void take(Lanes& sum, Lanes words) {
    const Lanes mixed = sum ^ words;
    sum = (mixed * prime) ^ (mixed >> 17);
}

std::uint32_t sum_portably(const std::byte* page, std::size_t size) {
    constexpr std::size_t lane_count = 4;
    std::array<Lanes, sum_count / lane_count> sums;
    std::memcpy(sums.data(), starts.data(), sizeof sums);
    Lanes beside = ~Lanes{};
    beside[page_checksum_offset / 4] = beside_checksum;
    for (std::size_t at = 0; at < size; at += page_checksum_unit) {
        for (std::size_t k = 0; k < sums.size(); ++k) {
            Lanes words;
            std::memcpy(&words, page + at + k * sizeof words, sizeof words);
            take(sums[k], at == 0 && k == 0 ? words & beside : words);
        }
    }
    Lanes folded{};
    for (Lanes& sum : sums) {
        for (int round = 0; round < final_rounds; ++round) take(sum, Lanes{});
        folded ^= sum;
    }
    return folded[0] ^ folded[1] ^ folded[2] ^ folded[3];
}

#if defined(__x86_64__)
#define WALDEN_AVX2_TARGET __attribute__((target("avx2")))

WALDEN_AVX2_TARGET inline __m256i step(__m256i sum, __m256i words) {
    const __m256i mixed = _mm256_xor_si256(sum, words);
    const __m256i product = _mm256_mullo_epi32(mixed, _mm256_set1_epi32(prime));
    return _mm256_xor_si256(product, _mm256_srli_epi32(mixed, 17));
}

WALDEN_AVX2_TARGET inline __m256i load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

WALDEN_AVX2_TARGET std::uint32_t sum_with_avx2(const std::byte* page, std::size_t size) {
    __m256i a = load(starts.data());
    __m256i b = load(starts.data() + 8);
    __m256i c = load(starts.data() + 16);
    __m256i d = load(starts.data() + 24);
    __m256i words = _mm256_andnot_si256(
        _mm256_setr_epi32(0, 0, static_cast<int>(~beside_checksum), 0, 0, 0, 0, 0), load(page));
    for (std::size_t at = 0;;) {
        a = step(a, words);
        b = step(b, load(page + at + 32));
        c = step(c, load(page + at + 64));
        d = step(d, load(page + at + 96));
        at += page_checksum_unit;
        if (at >= size) break;
        words = load(page + at);
    }
    const __m256i zero = _mm256_setzero_si256();
    for (int round = 0; round < final_rounds; ++round) {
        a = step(a, zero);
        b = step(b, zero);
        c = step(c, zero);
        d = step(d, zero);
    }
    std::array<std::uint32_t, 8> folded;
    a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(folded.data()), a);
    std::uint32_t sum = 0;
    for (const std::uint32_t part : folded) sum ^= part;
    return sum;
}

const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
#endif

std::uint16_t fold(std::uint32_t sum, std::uint32_t block_number) {
    return static_cast<std::uint16_t>((sum ^ block_number) % 65535 + 1);
}

std::uint32_t sum_of(const std::byte* page, std::size_t size) {
#if defined(__x86_64__)
    if (has_avx2) return sum_with_avx2(page, size);
#endif
    return sum_portably(page, size);
}

}  // namespace

std::uint16_t page_checksum(ByteView page, std::uint32_t block_number) {
    assert(!page.empty() && page.size() % page_checksum_unit == 0);
    return fold(sum_of(page.data(), page.size()), block_number);
}

namespace portable {

std::uint16_t page_checksum(ByteView page, std::uint32_t block_number) {
    return fold(sum_portably(page.data(), page.size()), block_number);
}

}  // namespace portable

}  // namespace walden
