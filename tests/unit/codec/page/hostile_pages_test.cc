// What is no unit, or no longer one.
#include "base/error.h"
#include "codec/codec.h"
#include "codec/page/page_codec.h"
#include "support/page_builder.h"

#include <catch2/catch.hpp>

#include <optional>

using namespace walden;
using namespace walden::codec;
using test::make_sample_pages;
using test::SamplePages;

namespace {

std::optional<ErrorKind> failure_of(ByteView encoded, std::size_t plain_size) {
    try {
        Bytes plain(plain_size);
        decode_pages(encoded, plain);
    } catch (const Error& error) {
        return error.kind();
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("a page unit with any byte changed or missing is corrupt", "[codec][page]") {
    const Bytes pages = make_sample_pages(SamplePages::words, 3, 3, 0);
    const Bytes encoded = encode_pages(pages, {}).bytes;
    REQUIRE(!failure_of(encoded, pages.size()));
    for (std::size_t i = 0; i < encoded.size(); i += 7) {
        Bytes changed = encoded;
        changed[i] ^= std::byte{0x10};
        // The version alone may say «later».
        CHECK(failure_of(changed, pages.size()) ==
              (i == 0 ? ErrorKind::usage : ErrorKind::corrupt));
        CHECK(failure_of(ByteView(encoded).first(i), pages.size()) == ErrorKind::corrupt);
    }
}

TEST_CASE("a page unit of another size than announced is corrupt", "[codec][page]") {
    const Bytes pages = make_sample_pages(SamplePages::words, 3, 3, 0);
    const Bytes encoded = encode_pages(pages, {}).bytes;
    for (const std::size_t size :
         {0UL, 8192UL, pages.size() - 1, pages.size() + 8192, page_unit_size_max + 8192})
        CHECK(failure_of(encoded, size) == ErrorKind::corrupt);
    CHECK(failure_of(encode(pages, {}).bytes, pages.size()) == ErrorKind::corrupt);
}
