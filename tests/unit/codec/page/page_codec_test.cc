#include "codec/page/page_codec.h"

#include "base/error.h"
#include "base/page_checksum.h"
#include "codec/codec.h"
#include "support/page_builder.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <functional>
#include <random>

using namespace walden;
using namespace walden::codec;
using test::make_index_item;
using test::make_row;
using test::make_sample_pages;
using test::PageBuilder;
using test::SamplePages;
using test::SampleRow;

namespace {

constexpr std::uint32_t block = 131'072;
constexpr std::size_t page_size = PageBuilder::page_size;

Bytes decoded(const Encoded& encoded, std::size_t size, std::span<const std::uint32_t> blocks) {
    Bytes plain(size);
    decode_unit(encoded.codec, encoded.bytes, plain, blocks);
    return plain;
}

/// What came back, by the page codec with nothing else asked for.
Encoded encode_and_check(ByteView plain, const PageEncodeOptions& options = {}) {
    const auto blocks = test::blocks_from(block, plain.size() / page_size);
    Encoded encoded = encode_pages(plain, options, blocks);
    CHECK(equal(decoded(encoded, plain.size(), blocks), plain));
    const Encoded without = encode_pages(plain, options);
    CHECK(equal(decoded(without, plain.size(), {}), plain));
    return encoded;
}

std::size_t plain_zstd_size(ByteView plain) {
    return encode(plain, {}).bytes.size();
}

/// A page among others of its kind, so that a unit is worth taking apart.
void check_among(SamplePages kind, const std::function<void(PageBuilder&)>& change) {
    Bytes pages = make_sample_pages(kind, 12, 5, block);
    PageBuilder page(kind == SamplePages::orders || kind == SamplePages::fixed_rows ? 0 : 16);
    change(page);
    append(pages, page.finish(block + 12));
    const Encoded encoded = encode_and_check(pages);
    CHECK(encoded.codec == CodecId::page);
    // Taken apart, and not stored whole: the unit with 13 pages is not a page larger.
    const Encoded before = encode_pages(ByteView(pages).first(12 * page_size), {});
    CHECK(encoded.bytes.size() < before.bytes.size() + page_size / 2);
}

Bytes row_with(std::size_t body_size, std::uint16_t number) {
    return make_row(
        {.block = block + 12, .offset = number, .body = Bytes(body_size, std::byte{7})});
}

}  // namespace

TEST_CASE("pages of all kinds come back, and are smaller than by zstd alone", "[codec][page]") {
    const auto [kind, share] = GENERATE(table<SamplePages, double>({
        {SamplePages::orders, 0.95},
        {SamplePages::fixed_rows, 0.5},
        {SamplePages::numbers, 0.1},
        {SamplePages::words, 0.95},
        {SamplePages::postings, 0.6},
    }));
    const std::size_t count = GENERATE(1u, 3u, 128u);
    const Bytes pages = make_sample_pages(kind, count, 3, block);
    CAPTURE(static_cast<int>(kind), count);
    const Encoded encoded = encode_and_check(pages);
    if (count < 3) return;
    CHECK(encoded.codec == CodecId::page);
    CHECK(static_cast<double>(encoded.bytes.size()) <
          share * static_cast<double>(plain_zstd_size(pages)));
}

TEST_CASE("both back ends bring back a unit of pages of all kinds", "[codec][page]") {
    Bytes pages;
    for (const SamplePages kind : {SamplePages::orders, SamplePages::fixed_rows,
                                   SamplePages::numbers, SamplePages::words, SamplePages::postings})
        append(pages, make_sample_pages(kind, 5, 9,
                                        static_cast<std::uint32_t>(block + pages.size() / 8192)));
    append(pages, Bytes(2 * page_size, std::byte{0}));
    PageEncodeOptions options;
    options.backend = GENERATE(PageEncodeOptions::Backend::zstd, PageEncodeOptions::Backend::lz4);
    options.level = GENERATE(1, 3);
    CHECK(encode_and_check(pages, options).codec == CodecId::page);
}

TEST_CASE("a unit's bytes depend on nothing that was encoded before", "[codec][page]") {
    const Bytes first = make_sample_pages(SamplePages::words, 20, 1, block);
    const Bytes second = make_sample_pages(SamplePages::orders, 20, 2, block);
    const Bytes alone = encode_pages(first, {}).bytes;
    static_cast<void>(encode_pages(second, {}));
    CHECK(equal(encode_pages(first, {}).bytes, alone));
}

TEST_CASE("right checksums are not stored, and wrong ones come back", "[codec][page]") {
    Bytes pages = make_sample_pages(SamplePages::fixed_rows, 32, 3, block);
    const auto blocks = test::blocks_from(block, 32);
    const std::size_t with_blocks = encode_pages(pages, {}, blocks).bytes.size();
    CHECK(with_blocks + 32 < encode_pages(pages, {}).bytes.size());

    pages[5 * page_size + page_checksum_offset] ^= std::byte{1};
    const Encoded encoded = encode_pages(pages, {}, blocks);
    CHECK(encoded.codec == CodecId::page);
    CHECK(equal(decoded(encoded, pages.size(), blocks), pages));
}

TEST_CASE("a unit with computed checksums says that it needs its block numbers", "[codec][page]") {
    const Bytes pages = make_sample_pages(SamplePages::fixed_rows, 4, 3, block);
    const Encoded encoded = encode_pages(pages, {}, test::blocks_from(block, 4));
    Bytes plain(pages.size());
    CHECK_THROWS_WITH(decode_pages(encoded.bytes, plain), Catch::Contains("block numbers"));
    // The numbers of other pages give other checksums, and nothing else.
    decode_pages(encoded.bytes, plain, test::blocks_from(block + 1, 4));
    CHECK(!equal(plain, pages));
    for (std::size_t i = 0; i < 4; ++i)
        std::memcpy(plain.data() + i * page_size + page_checksum_offset,
                    pages.data() + i * page_size + page_checksum_offset, 2);
    CHECK(equal(plain, pages));
}

TEST_CASE("line pointers without items come back: unused, redirects, dead", "[codec][page]") {
    check_among(SamplePages::orders, [](PageBuilder& page) {
        page.add_pointer(0);
        page.add_pointer(2, 5);
        page.add_pointer(3);
        page.add_pointer(0, 0x7FFF);
        for (std::uint16_t i = 5; i < 20; ++i) page.add(row_with(40, i));
        page.add_pointer(3, 77);
    });
}

TEST_CASE("dead line pointers that have an item come back", "[codec][page]") {
    check_among(SamplePages::orders, [](PageBuilder& page) {
        for (std::uint16_t i = 1; i < 30; ++i) page.add(row_with(33, i), i % 3 == 0 ? 3 : 1);
    });
    check_among(SamplePages::numbers, [](PageBuilder& page) {
        for (std::uint32_t i = 0; i < 100; ++i)
            page.add(make_index_item(i, 4, 0, as_bytes("abcdefgh")), i % 2 == 0 ? 3 : 1);
    });
}

TEST_CASE("rows with strange headers come back", "[codec][page]") {
    check_among(SamplePages::orders, [](PageBuilder& page) {
        SampleRow row{.xmin = 2, .xmax = 0xFFFFFFFF, .cid = 5, .block = 99, .offset = 0};
        page.add(make_row(row));  // moved to another page, frozen, no body
        row.infomask = 0x0B02;
        row.null_bitmap = Bytes(20, std::byte{0x55});
        row.body = Bytes(3, std::byte{1});
        page.add(make_row(row));
        row.null_bitmap = Bytes(60, std::byte{0x55});  // more attributes than a shape holds
        page.add(make_row(row));
        page.add(as_bytes("no row at all"));
        Bytes odd = make_row({.body = Bytes(16, std::byte{9})});
        odd[22] = std::byte{25};  // a header size that is no multiple of 8
        page.add(odd);
        odd[22] = std::byte{0};
        page.add(odd);
        odd[22] = std::byte{200};  // beyond the row
        page.add(odd);
        page.add(ByteView(odd).first(9));
    });
}

TEST_CASE("bytes between items come back", "[codec][page]") {
    const SamplePages kind = GENERATE(SamplePages::orders, SamplePages::words);
    check_among(kind, [&](PageBuilder& page) {
        for (std::uint16_t i = 1; i < 20; ++i) {
            const Bytes item = kind == SamplePages::orders
                                   ? row_with(i, i)
                                   : make_index_item(i, i, 0, Bytes(24, std::byte{3}));
            const std::size_t length = kind == SamplePages::orders ? item.size() : 12u + i;
            page.add(ByteView(item).first(length));
            if (length % 8 != 0) page.bytes()[page.upper() + length] = static_cast<std::byte>(i);
        }
    });
}

TEST_CASE("what was left in the hole comes back", "[codec][page]") {
    check_among(SamplePages::orders, [](PageBuilder& page) {
        for (std::uint16_t i = 1; i < 20; ++i) page.add(row_with(40, i));
        const auto hole = page.bytes().subspan(page.lower(), page.upper() - page.lower());
        SECTION("at its start") {
            hole[3] = std::byte{9};
        }
        SECTION("at its end") {
            hole[hole.size() - 50] = std::byte{9};
        }
        SECTION("at both ends") {
            hole[0] = std::byte{1};
            hole[14] = std::byte{2};
            hole[hole.size() - 1] = std::byte{3};
        }
        SECTION("in its middle") {
            hole[hole.size() / 2] = std::byte{9};
        }
        SECTION("all over") {
            std::memset(hole.data(), 0x5A, hole.size());
        }
    });
}

TEST_CASE("empty pages and full ones come back", "[codec][page]") {
    check_among(SamplePages::orders, [](PageBuilder&) {});
    check_among(SamplePages::numbers, [](PageBuilder&) {});
    check_among(SamplePages::orders, [](PageBuilder& page) {
        for (std::uint16_t i = 1; i <= 291; ++i) page.add(row_with(0, i));  // MaxHeapTuplesPerPage
    });
    check_among(SamplePages::orders, [](PageBuilder& page) {
        for (int i = 0; i < 2042; ++i) page.add_pointer(0);
    });
    check_among(SamplePages::orders, [](PageBuilder& page) { page.add(row_with(8136 - 24, 1)); });
}

TEST_CASE("pages whose items do not lie side by side stay whole and come back", "[codec][page]") {
    Bytes pages = make_sample_pages(SamplePages::orders, 12, 5, block);
    PageBuilder page;
    for (std::uint16_t i = 1; i < 20; ++i) page.add(row_with(40, i));
    std::byte* const pointer = page.bytes().data() + 24 + 4 * 5;
    SECTION("one is missing") {
        store_le<std::uint32_t>(pointer, 0);
    }
    SECTION("two on the same bytes") {
        std::memcpy(pointer, pointer + 4, 4);
    }
    SECTION("not aligned") {
        store_le(pointer, load_le<std::uint32_t>(pointer) + 4);
    }
    SECTION("one outside of the page") {
        store_le<std::uint32_t>(pointer, 0xFFFFFFFF);
    }
    SECTION("lower is odd") {
        page.bytes()[12] ^= std::byte{1};
    }
    SECTION("lower is above upper") {
        page.bytes()[13] = std::byte{0x1F};
    }
    SECTION("special is above the page's end") {
        page.bytes()[17] = std::byte{0x30};
    }
    SECTION("special is not aligned") {
        store_le<std::uint16_t>(page.bytes().data() + 16, 8188);
    }
    append(pages, page.finish(block + 12));
    CHECK(encode_and_check(pages).codec == CodecId::page);
}

TEST_CASE("random changes to pages come back", "[codec][page]") {
    std::mt19937 random(4);
    for (const SamplePages kind :
         {SamplePages::orders, SamplePages::fixed_rows, SamplePages::numbers, SamplePages::words,
          SamplePages::postings}) {
        const Bytes sound = make_sample_pages(kind, 4, 6, block);
        for (int round = 0; round < 60; ++round) {
            Bytes pages = sound;
            for (int change = 0; change < 1 + round % 8; ++change) {
                // Half of them where headers and line pointers are.
                const std::size_t place = random() % page_size;
                const std::size_t at =
                    random() % 4 * page_size + (random() % 2 == 0 ? place : place % 256);
                pages[at] = static_cast<std::byte>(random());
            }
            encode_and_check(pages);
        }
    }
}

TEST_CASE("what is no unit of 8 KiB pages is stored by the plain method", "[codec][page]") {
    const Bytes pages = make_sample_pages(SamplePages::orders, 4, 3, block);
    PageEncodeOptions options;
    SECTION("a page cut short") {
        CHECK(encode_and_check(ByteView(pages).first(3 * page_size + 5)).codec == CodecId::zstd);
    }
    SECTION("other page sizes") {
        options.page_size = GENERATE(1024u, 4096u, 16384u, 32768u);
        CHECK(encode_and_check(pages, options).codec == CodecId::zstd);
        options.backend = PageEncodeOptions::Backend::lz4;
        CHECK(encode_and_check(pages, options).codec == CodecId::lz4);
    }
    SECTION("zeros") {
        CHECK(encode_and_check(Bytes(16 * page_size, std::byte{0})).codec == CodecId::zstd);
    }
    SECTION("pages that are special space only") {
        Bytes maps;
        for (std::uint32_t i = 0; i < 4; ++i) {
            PageBuilder page;
            std::memset(page.bytes().data() + 24, 0xFF, page_size - 24);  // a visibility map's
            append(maps, page.finish(block + i));
        }
        CHECK(encode_and_check(maps).bytes.size() < 200);
    }
    SECTION("noise") {
        std::mt19937 random(1);
        Bytes noise(4 * page_size);
        for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
        CHECK(encode_and_check(noise).codec == CodecId::none);
    }
    SECTION("nothing") {
        CHECK(encode_and_check({}).bytes.empty());
    }
}

TEST_CASE("encode_pages refuses what it cannot do", "[codec][page]") {
    const Bytes pages = make_sample_pages(SamplePages::orders, 4, 3, block);
    PageEncodeOptions options;
    options.level = GENERATE(0, 20);
    CHECK_THROWS_WITH(encode_pages(pages, options), Catch::Contains("level"));
    CHECK_THROWS_WITH(encode_pages(pages, {}, test::blocks_from(0, 3)),
                      Catch::Contains("block numbers"));
    CHECK_THROWS_WITH(encode_pages(Bytes(page_unit_size_max + 1), {}), Catch::Contains("larger"));
}

TEST_CASE("decode_into, show and decode know page units", "[codec][page]") {
    const Bytes pages = make_sample_pages(SamplePages::orders, 100, 3, block);
    const Encoded encoded = encode_pages(pages, {});
    REQUIRE(encoded.codec == CodecId::page);
    Bytes shown;
    show(encoded.codec, encoded.bytes, pages.size(), 1, [&](std::size_t offset, ByteView part) {
        CHECK(offset == shown.size());
        append(shown, part);
    });
    CHECK(equal(shown, pages));
    Bytes out;
    decode(encoded.codec, encoded.bytes, pages.size(), 2, out);
    CHECK(equal(out, pages));
    CHECK(to_string(encoded.codec) == "page");
}
