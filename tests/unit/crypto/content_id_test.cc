#include "crypto/content_id.h"

#include "crypto/digest.h"
#include "crypto_test.h"

#include <thread>

using namespace walden;
using namespace walden::crypto;

namespace {

ContentIdKey some_key() {
    return secret_from_hex(std::string(62, '0') + "17");
}

}  // namespace

TEST_CASE("a content id does not depend on the number of workers", "[crypto][content_id]") {
    const Bytes plain = pattern((5 << 20) + 77);
    const ContentIdKey key = GENERATE(ContentIdKey{}, some_key());
    const ContentId expected = compute_content_id(key, plain, 1);
    for (const std::size_t worker_count : {0U, 2U, 3U, 16U, 1000U})
        CHECK(compute_content_id(key, plain, worker_count) == expected);
}

TEST_CASE("content ids may be computed by several threads at once", "[crypto][content_id]") {
    const Bytes plain = pattern(3 << 20);
    const ContentIdKey key = some_key();
    const ContentId expected = compute_content_id(key, plain, 1);
    std::array<ContentId, 4> ids;
    {
        std::vector<std::jthread> threads;
        for (ContentId& id : ids)
            threads.emplace_back([&] { id = compute_content_id(key, plain, 2); });
    }
    for (const ContentId& id : ids) CHECK(id == expected);
}

TEST_CASE("a content id changes with every bit of the content, its size and its key",
          "[crypto][content_id]") {
    const Bytes plain = pattern(content_id_leaf_size + 50);
    const ContentId id = compute_content_id(some_key(), plain, 1);
    for (const std::size_t byte :
         {std::size_t{0}, content_id_leaf_size - 1, content_id_leaf_size, plain.size() - 1})
        for (std::size_t bit = 0; bit < 8; ++bit)
            CHECK(compute_content_id(some_key(), with_bit_flipped(plain, byte * 8 + bit), 1) != id);
    CHECK(compute_content_id(some_key(), ByteView(plain).first(plain.size() - 1), 1) != id);
    Bytes longer = plain;
    longer.push_back(std::byte{0});
    CHECK(compute_content_id(some_key(), longer, 1) != id);
    CHECK(compute_content_id(secret_from_hex(std::string(64, '0')), plain, 1) != id);
    CHECK(compute_content_id(std::nullopt, plain, 1) != id);
}

TEST_CASE("swapped leaves give another content id", "[crypto][content_id]") {
    Bytes plain = pattern(2 * content_id_leaf_size);
    const ContentId id = compute_content_id(some_key(), plain, 1);
    std::rotate(plain.begin(), plain.begin() + content_id_leaf_size, plain.end());
    CHECK(compute_content_id(some_key(), plain, 1) != id);
}

TEST_CASE("the id of a content that looks like a tree's root is not that tree's",
          "[crypto][content_id]") {
    // What the root hashes for one leaf, presented as content: domain separation must tell.
    const Bytes plain = pattern(10);
    Bytes leaf_input;
    ByteWriter leaf(leaf_input);
    leaf.write(std::uint8_t{0});
    leaf.write(std::uint64_t{0});
    leaf.write(std::uint32_t{10});
    leaf.write_bytes(plain);
    Bytes root_input;
    ByteWriter root(root_input);
    root.write(std::uint8_t{1});
    root.write(std::uint64_t{10});
    root.write(static_cast<std::uint32_t>(content_id_leaf_size));
    root.write(std::uint32_t{1});
    root.write_bytes(sha256(leaf_input));
    const ContentId id = compute_content_id(std::nullopt, plain, 1);
    CHECK(to_hex(id.bytes) == to_hex(sha256(root_input)));
    CHECK(compute_content_id(std::nullopt, root_input, 1) != id);
}

TEST_CASE("a content id round trips through its one spelling", "[crypto][content_id]") {
    const ContentId id = compute_content_id(std::nullopt, pattern(3), 1);
    const std::string text = to_string(id);
    CHECK(text.size() == 64);
    CHECK(parse_content_id(text) == id);
    std::string upper = text;
    for (char& c : upper) c = static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
    REQUIRE(upper != text);
    CHECK_FALSE(parse_content_id(upper).has_value());
    CHECK_FALSE(parse_content_id(text.substr(1)).has_value());
    CHECK_FALSE(parse_content_id(text + "0").has_value());
    CHECK_FALSE(parse_content_id("g" + text.substr(1)).has_value());
    CHECK_FALSE(parse_content_id("").has_value());
}

TEST_CASE("leaves of zeros that are remembered are the ones of their place",
          "[crypto][content_id]") {
    const ContentIdKey key = GENERATE(ContentIdKey{}, some_key());
    const ContentIdHash hash(key);
    // The second content has its zeros where the first has some, and elsewhere.
    for (const std::size_t used : {300'000U, 5U, 1'000'000U}) {
        Bytes plain = pattern(used);
        plain.resize((2 << 20) + 77, std::byte{0});
        CHECK(hash.compute(plain, 1) == compute_content_id(key, plain, 1));
        CHECK(hash.compute(plain, 3) == compute_content_id(key, plain, 1));
    }
    const Bytes zeros(3 * content_id_leaf_size, std::byte{0});
    Bytes other = zeros;
    other.back() = std::byte{1};
    CHECK(hash.compute(zeros, 1) != hash.compute(other, 1));
    CHECK(hash.compute(zeros, 1) !=
          hash.compute(ByteView(zeros).first(2 * content_id_leaf_size), 1));
}

TEST_CASE("a content id does not depend on the order in which its parts come",
          "[crypto][content_id]") {
    const Bytes plain = pattern((3 << 20) + 77);
    const ContentIdKey key = GENERATE(ContentIdKey{}, some_key());
    const ContentIdHash hash(key);
    ContentIdBuilder builder(hash, plain.size());
    constexpr std::size_t part_size = 3 * content_id_leaf_size;
    for (std::size_t i = plain.size() / part_size + 1; i-- > 0;) {
        const std::size_t offset = i * part_size;
        builder.add(offset,
                    ByteView(plain).subspan(offset, std::min(part_size, plain.size() - offset)));
    }
    CHECK(builder.finish() == compute_content_id(key, plain, 1));
}
