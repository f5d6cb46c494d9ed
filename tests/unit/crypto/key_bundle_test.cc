#include "crypto/key_bundle.h"

#include "crypto_test.h"

using namespace walden;
using namespace walden::crypto;

namespace {

RepositoryId some_repository() {
    return array_from_hex<16>("000102030405060708090a0b0c0d0e0f");
}

}  // namespace

TEST_CASE("a bundle decodes to what was encoded", "[crypto][bundle]") {
    const KeyBundle read = KeyBundle::create(some_repository()).rotate().rotate();
    const KeyBundle put = read.make_put_bundle("main");
    CHECK(equal(KeyBundle::decode(read.encode()).encode(), read.encode()));
    CHECK(equal(KeyBundle::decode(put.encode()).encode(), put.encode()));
    const KeyBundle decoded = KeyBundle::decode(put.encode());
    CHECK(decoded.kind() == BundleKind::put);
    CHECK(decoded.repository() == some_repository());
    CHECK(decoded.cluster() == "main");
    CHECK(decoded.epochs().size() == 3);
    CHECK(decoded.current_epoch().number == 3);
    CHECK(decoded.admin_public_key() == read.admin_public_key());
    CHECK(decoded.find_epoch(2)->public_key == read.find_epoch(2)->public_key);
    CHECK(decoded.find_epoch(4) == nullptr);
}

TEST_CASE("a put bundle has the keys of its cluster and no other", "[crypto][bundle]") {
    const KeyBundle read = KeyBundle::create(some_repository());
    const KeyBundle put = read.make_put_bundle("main");
    const ClusterKeys by_put = put.keys_of_cluster("main");
    const ClusterKeys by_read = read.keys_of_cluster("main");
    CHECK(equal(by_put.content_id_key.view(), by_read.content_id_key.view()));
    CHECK(equal(by_put.metadata_key.view(), by_read.metadata_key.view()));
    CHECK_FALSE(equal(by_put.content_id_key.view(), by_put.metadata_key.view()));
    CHECK_FALSE(
        equal(by_read.content_id_key.view(), read.keys_of_cluster("other").content_id_key.view()));
    CHECK(kind_of([&] { (void)put.keys_of_cluster("other"); }) == ErrorKind::usage);
}

TEST_CASE("a put bundle contains no secret of an epoch, the admin key or the root",
          "[crypto][bundle]") {
    const KeyBundle read = KeyBundle::create(some_repository()).rotate();
    const Bytes encoded = read.make_put_bundle("main").encode();
    for (const KeyEpoch& epoch : read.epochs()) {
        CHECK_FALSE(contains(encoded, epoch.secret_key->view()));
        CHECK(contains(encoded, epoch.psk.view()));  // the scan finds what is there
    }
    CHECK_FALSE(contains(encoded, read.admin_secret_key().view()));
    const Bytes all = read.encode();
    const ByteView root = ByteView(all).last(64).first(32);
    CHECK_FALSE(contains(encoded, root));
    CHECK_FALSE(KeyBundle::decode(encoded).current_epoch().secret_key.has_value());
}

TEST_CASE("a put bundle can neither make put bundles nor rotate nor sign", "[crypto][bundle]") {
    const KeyBundle put = KeyBundle::create(some_repository()).make_put_bundle("main");
    CHECK(kind_of([&] { (void)put.make_put_bundle("main"); }) == ErrorKind::usage);
    CHECK(kind_of([&] { (void)put.rotate(); }) == ErrorKind::usage);
    CHECK(kind_of([&] { (void)put.admin_secret_key(); }) == ErrorKind::usage);
}

TEST_CASE("rotation adds an epoch, replaces the admin key and keeps the rest", "[crypto][bundle]") {
    const KeyBundle before = KeyBundle::create(some_repository());
    const KeyBundle after = before.rotate();
    REQUIRE(after.epochs().size() == 2);
    CHECK(after.current_epoch().number == 2);
    CHECK(after.current_epoch().public_key != before.current_epoch().public_key);
    CHECK_FALSE(equal(after.current_epoch().psk.view(), before.current_epoch().psk.view()));
    CHECK(
        equal(after.find_epoch(1)->secret_key->view(), before.current_epoch().secret_key->view()));
    CHECK(after.admin_public_key() != before.admin_public_key());
    CHECK(equal(after.keys_of_cluster("main").content_id_key.view(),
                before.keys_of_cluster("main").content_id_key.view()));
}

TEST_CASE("two repositories share no key", "[crypto][bundle]") {
    const KeyBundle a = KeyBundle::create(some_repository());
    const KeyBundle b = KeyBundle::create(some_repository());
    CHECK(a.current_epoch().public_key != b.current_epoch().public_key);
    CHECK(a.admin_public_key() != b.admin_public_key());
    CHECK_FALSE(equal(a.keys_of_cluster("main").content_id_key.view(),
                      b.keys_of_cluster("main").content_id_key.view()));
}

TEST_CASE("a bundle cut anywhere, or with bytes behind it, is corrupt", "[crypto][bundle]") {
    const KeyBundle read = KeyBundle::create(some_repository()).rotate();
    const Bytes encoded = GENERATE_COPY(read.encode(), read.make_put_bundle("main").encode());
    for (std::size_t size = 0; size < encoded.size(); ++size)
        CHECK(kind_of([&] { (void)KeyBundle::decode(ByteView(encoded).first(size)); }) ==
              ErrorKind::corrupt);
    Bytes longer = encoded;
    longer.push_back(std::byte{0});
    CHECK(kind_of([&] { (void)KeyBundle::decode(longer); }) == ErrorKind::corrupt);
}

TEST_CASE("a read bundle whose secret and public keys do not fit is corrupt", "[crypto][bundle]") {
    const Bytes encoded = KeyBundle::create(some_repository()).encode();
    // version 2, kind 1, repository 16, admin public key 32, count 4, then epoch 1.
    const std::size_t admin_public = 19;
    const std::size_t epoch_public = 19 + 32 + 4 + 4;
    const std::size_t epoch_secret = epoch_public + 32 + 32;
    const std::size_t admin_secret = encoded.size() - 32;
    for (const std::size_t offset : {admin_public, epoch_public, epoch_secret, admin_secret}) {
        INFO("offset " << offset);
        // The middle of each key: X25519 ignores some bits at its ends.
        const Bytes broken = with_bit_flipped(encoded, (offset + 16) * 8);
        CHECK(kind_of([&] { (void)KeyBundle::decode(broken); }) == ErrorKind::corrupt);
    }
}

TEST_CASE("a bundle of a newer version is not called corrupt", "[crypto][bundle]") {
    Bytes encoded = KeyBundle::create(some_repository()).encode();
    encoded[0] = std::byte{2};
    CHECK(kind_of([&] { (void)KeyBundle::decode(encoded); }) == ErrorKind::usage);
    encoded[0] = std::byte{0};
    CHECK(kind_of([&] { (void)KeyBundle::decode(encoded); }) == ErrorKind::corrupt);
}

TEST_CASE("a bundle that claims more epochs than it has bytes allocates nothing for them",
          "[crypto][bundle]") {
    Bytes encoded = KeyBundle::create(some_repository()).encode();
    store_le(&encoded[51], std::uint32_t{0xFFFFFFFF});
    CHECK(kind_of([&] { (void)KeyBundle::decode(encoded); }) == ErrorKind::corrupt);
    store_le(&encoded[51], std::uint32_t{0});
    CHECK(kind_of([&] { (void)KeyBundle::decode(encoded); }) == ErrorKind::corrupt);
}

TEST_CASE("cluster names that could harm a terminal or are empty are refused", "[crypto][bundle]") {
    const KeyBundle read = KeyBundle::create(some_repository());
    for (const std::string& name :
         {std::string(), std::string("a\nb"), std::string("\x1b[2J"), std::string(256, 'a')})
        CHECK(kind_of([&] { (void)read.make_put_bundle(name); }) == ErrorKind::usage);
}
