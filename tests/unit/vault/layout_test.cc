#include "vault/layout.h"

#include "support/errors.h"
#include "vault/object_storage.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::vault;

namespace {

crypto::ContentId some_id() {
    crypto::ContentId id;
    id.bytes.fill(std::byte{0xAB});
    return id;
}

const std::string id_text =
    std::string("abababababababababababababababab") + "abababababababababababababababab";

}  // namespace

TEST_CASE("names are those of FORMAT.md, section 1", "[vault][layout]") {
    const ClusterLayout layout("main", 7301234567890123456);
    const std::string prefix = "clusters/main/7301234567890123456/";
    CHECK(layout.prefix() == prefix);
    CHECK(layout.identity_key() == prefix + "identity");
    CHECK(layout.claim_key("00000002", 3) == prefix + "claims/00000002.3");
    CHECK(layout.segment_key("000000010000000A000000FF") ==
          prefix + "wal/00000001/0000000A/000000010000000A000000FF");
    CHECK(layout.content_key("000000010000000A000000FF", some_id()) ==
          prefix + "content/00000001/0000000A/000000010000000A000000FF." + id_text);
    CHECK(layout.content_key("00000002.history", some_id()) ==
          prefix + "content/00000002/other/00000002.history." + id_text);
    CHECK(layout.history_key("00000002.history") == prefix + "history/00000002.history");
    CHECK(layout.label_key("000000010000000A000000FF.00000028.backup") ==
          prefix + "labels/000000010000000A000000FF.00000028.backup");
    CHECK(layout.partial_key("000000010000000A000000FF.partial", some_id()) ==
          prefix + "labels/000000010000000A000000FF.partial." + id_text);
    CHECK(layout.conflict_key("000000010000000A000000FF", some_id()) ==
          prefix + "conflicts/000000010000000A000000FF." + id_text);
}

TEST_CASE("a further copy of a content has a number behind its name", "[vault][layout]") {
    const ClusterLayout layout("main", 7301234567890123456);
    const std::string key = layout.content_key("000000010000000A000000FF", some_id());
    CHECK(ClusterLayout::content_copy_key(key, 0) == key);
    for (std::uint32_t copy = 1; copy <= content_copy_max; ++copy) {
        CHECK(ClusterLayout::content_copy_key(key, copy) == key + "." + std::to_string(copy));
        CHECK(ClusterLayout::content_of_copy(key + "." + std::to_string(copy)) == key);
    }
    for (const std::string& none : {key, key + ".0", key + ".10", key + ".a", key + ".1.1",
                                    std::string("content.1"), std::string(".1"), std::string()})
        CHECK_FALSE(ClusterLayout::content_of_copy(none).has_value());
}

TEST_CASE("the longest names make valid keys", "[vault][layout]") {
    const ClusterLayout layout(std::string(63, 'x'), ~std::uint64_t{0});
    const std::string longest = "FFFFFFFFFFFFFFFFFFFFFFFF.FFFFFFFF.backup";
    for (const std::string& key :
         {layout.content_key(longest, some_id()), layout.partial_key(longest, some_id()),
          layout.conflict_key(longest, some_id()), layout.claim_key("FFFFFFFF", 0xFFFFFFFF),
          layout.identity_key(), layout.segment_key(longest.substr(0, 24))})
        CHECK(is_valid_key(key));
}

TEST_CASE("the prefix of a timeline's claims or WAL is not that of another", "[vault][layout]") {
    const ClusterLayout layout("main", 1);
    CHECK(layout.claim_key("00000001", 12) == layout.claims_prefix() + "00000001.12");
    CHECK(layout.segment_key("000000010000000000000001")
              .starts_with(layout.timeline_prefix("00000001")));
    // "main" and "main2", 1 and 12: a slash ends both.
    CHECK_FALSE(ClusterLayout("main2", 1).prefix().starts_with(layout.prefix()));
    CHECK_FALSE(ClusterLayout("main", 12).prefix().starts_with(layout.prefix()));
}

TEST_CASE("a cluster's name is 1 to 63 letters, digits, _ and -", "[vault][layout]") {
    CHECK(is_cluster_name("a"));
    CHECK(is_cluster_name("Main_db-2"));
    CHECK(is_cluster_name(std::string(63, 'a')));
    for (const std::string& name :
         {std::string(), std::string(64, 'a'), std::string("a/b"), std::string(".."),
          std::string("a.b"), std::string("a b"), std::string("\xC3\xA4"), std::string("a\0", 2)})
        CHECK_FALSE(is_cluster_name(name));
}

TEST_CASE("key slot names parse back, and nothing else does", "[vault][layout]") {
    crypto::SlotId id{};
    id.fill(std::byte{0x1F});
    for (const std::uint32_t generation : {1U, 2U, 10U, 0xFFFFFFFFU}) {
        const auto name = parse_key_slot_key(key_slot_key(id, generation));
        REQUIRE(name.has_value());
        CHECK(name->id == id);
        CHECK(name->generation == generation);
    }
    const std::string hex = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f";
    CHECK(key_slot_key(id, 1) == "keys/" + hex + ".1");
    for (const std::string& key :
         {std::string(), "keys/" + hex, "keys/" + hex + ".", "keys/" + hex + ".0",
          "keys/" + hex + ".01", "keys/" + hex + ".+1", "keys/" + hex + ".1x",
          "keys/" + hex + ".4294967296", "keys/" + hex + "1.1", "key/" + hex + ".1",
          "keys/" + hex + "/1", std::string("keys/1F1F1F1F1F1F1F1F1F1F1F1F1F1F1F1F.1")}) {
        INFO(key);
        CHECK_FALSE(parse_key_slot_key(key).has_value());
    }
}
