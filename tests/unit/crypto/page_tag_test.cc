#include "crypto/page_tag.h"

#include "base/random.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::crypto;

namespace {

Secret<32> key_of(unsigned n) {
    Secret<32> key;
    std::fill(key.writable().begin(), key.writable().end(), static_cast<std::byte>(n));
    return key;
}

}  // namespace

TEST_CASE("the tag of nothing is the known answer of AES-256-GCM", "[crypto]") {
    // Test case 13 of "The Galois/Counter Mode of Operation" (McGrew, Viega): key, nonce and both
    // texts are zeros or empty.
    CHECK(to_hex(PageTagger(key_of(0)).tag({})) == "530f8afbc74536b9a963b4f1c4cb738b");
}

TEST_CASE("a page has one tag, and another page another one", "[crypto]") {
    Bytes page(8192);
    fill_random(page);
    PageTagger tagger(key_of(1));
    const PageTag tag = tagger.tag(page);
    CHECK(tagger.tag(page) == tag);
    CHECK(PageTagger(key_of(1)).tag(page) == tag);
    CHECK(PageTagger(key_of(2)).tag(page) != tag);
    for (const std::size_t byte : {0U, 15U, 16U, 4096U, 8191U}) {
        page[byte] ^= std::byte{1};
        CHECK(tagger.tag(page) != tag);
        page[byte] ^= std::byte{1};
    }
    CHECK(tagger.tag(ByteView(page).first(8191)) != tag);
    CHECK(tagger.tag(page) == tag);
}
