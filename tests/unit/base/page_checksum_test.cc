#include "base/page_checksum.h"

#include <catch2/catch.hpp>

#include <array>
#include <random>

using namespace walden;

namespace {

/// As checksum_impl.h has it, word by word: slow and obviously right.
std::uint16_t reference(ByteView page, std::uint32_t block_number) {
    static constexpr std::array<std::uint32_t, 32> starts = {
        0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2,
        0x83E13D2C, 0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C,
        0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979,
        0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E,
        0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};
    std::array<std::uint32_t, 32> sums = starts;
    const auto take = [&](std::size_t i, std::uint32_t word) {
        const std::uint32_t mixed = sums[i] ^ word;
        sums[i] = mixed * 16777619U ^ mixed >> 17;
    };
    for (std::size_t at = 0; at < page.size(); at += 4) {
        auto word = load_le<std::uint32_t>(page.data() + at);
        if (at == page_checksum_offset) word &= 0xFFFF0000;
        take(at / 4 % 32, word);
    }
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
        take(i, 0);
        take(i, 0);
        sum ^= sums[i];
    }
    return static_cast<std::uint16_t>((sum ^ block_number) % 65535 + 1);
}

}  // namespace

TEST_CASE("a page checksum is the one that PostgreSQL computes", "[base][page_checksum]") {
    Bytes page(8192);
    for (std::size_t i = 0; i < page.size(); ++i)
        page[i] = static_cast<std::byte>(i * 7 + i / 256 * 13 + 3);
    // page_checksum(page, 77777) of the extension pageinspect, PostgreSQL 15.
    CHECK(page_checksum(page, 77777) == 9436);
    CHECK(portable::page_checksum(page, 77777) == 9436);
}

TEST_CASE("page checksums of all page sizes and CPUs agree with the definition",
          "[base][page_checksum]") {
    std::mt19937 random(1);
    for (const std::size_t size : {128UL, 1024UL, 4096UL, 8192UL, 16384UL, 32768UL}) {
        Bytes page(size + 1);
        for (std::byte& byte : page) byte = static_cast<std::byte>(random());
        // Pages need not be aligned.
        for (const std::size_t start : {0UL, 1UL}) {
            const ByteView view = ByteView(page).subspan(start, size);
            const auto block = static_cast<std::uint32_t>(random());
            CHECK(page_checksum(view, block) == reference(view, block));
            CHECK(portable::page_checksum(view, block) == reference(view, block));
        }
    }
}

TEST_CASE("the stored checksum is not part of the sum, and its neighbours are",
          "[base][page_checksum]") {
    Bytes page(8192);
    std::fill(page.begin(), page.end(), std::byte{5});
    const std::uint16_t sum = page_checksum(page, 1);
    store_le<std::uint16_t>(page.data() + page_checksum_offset, sum);
    CHECK(page_checksum(page, 1) == sum);
    CHECK(page_checksum(page, 2) != sum);
    for (const std::size_t beside : {page_checksum_offset - 1, page_checksum_offset + 2}) {
        page[beside] ^= std::byte{1};
        CHECK(page_checksum(page, 1) != sum);
        page[beside] ^= std::byte{1};
    }
}
