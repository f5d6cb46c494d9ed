#include "crypto/key_slot.h"

#include "crypto/signature.h"
#include "crypto_test.h"

using namespace walden;
using namespace walden::crypto;

namespace {

RepositoryId some_repository() {
    return array_from_hex<16>("000102030405060708090a0b0c0d0e0f");
}

constexpr ScryptCost cheap{.n = 1 << 10, .r = 1, .p = 1};

NewSlot options(const std::string& cluster = "") {
    return {.label = "db1", .created = 1700000000, .scrypt_cost = cheap, .cluster = cluster};
}

UnlockSecret make_secret(SlotSource source) {
    return source == SlotSource::random_key ? UnlockSecret::make_random_key()
                                            : UnlockSecret::from_passphrase("correct horse");
}

/// True if the slot opens to a bundle; false if it is taken for damaged, newer or another's.
bool opens(const UnlockSecret& secret, ByteView slot) {
    try {
        return open_slot(secret, slot).has_value();
    } catch (const Error& error) {
        CHECK((error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage));
        return false;
    }
}

/// A slot that went through two rotations.
struct Rotated {
    UnlockSecret secret = UnlockSecret::make_random_key();
    KeyBundle first = KeyBundle::create(some_repository());
    KeyBundle second = first.rotate();
    KeyBundle third = second.rotate();
    std::vector<Bytes> slots;

    explicit Rotated(const std::string& cluster = "") {
        slots.push_back(make_slot(secret, first, options(cluster)));
        slots.push_back(make_next_generation(slots[0], first, second));
        slots.push_back(make_next_generation(slots[1], second, third));
    }
};

std::optional<ErrorKind> chain_failure(const UnlockSecret& secret,
                                       const std::vector<Bytes>& slots) {
    return kind_of([&] { (void)open_slot_chain(secret, slots); });
}

/// The slot with its header changed by `change` and signed anew by `admin`: what somebody with
/// write access to the store and an admin key of their own can make.
Bytes resigned(Bytes slot, const Ed25519SecretKey& previous_admin, const Ed25519SecretKey& admin) {
    const std::size_t endorsement = slot.size() - 4 - 64;
    const std::size_t handover = endorsement - 64;
    const auto put_signature = [&](const char* label, std::size_t label_size, std::size_t at,
                                   const Ed25519SecretKey& key) {
        Bytes message = to_bytes(as_bytes({label, label_size}));
        append(message, ByteView(slot).first(at));
        const Ed25519Signature signature = sign(key, message);
        std::copy(signature.begin(), signature.end(),
                  slot.begin() + static_cast<std::ptrdiff_t>(at));
    };
    put_signature("walden/v1/slot-handover", 24, handover, previous_admin);
    put_signature("walden/v1/slot-endorsement", 27, endorsement, admin);
    return with_fitting_crc(std::move(slot));
}

constexpr std::size_t generation_offset = 8 + 2 + 1 + 1 + 1 + 3 + 16;
constexpr std::size_t repository_offset = generation_offset + 4 + 8;
constexpr std::size_t public_key_offset = repository_offset + 16 + 8 + 4 + 4 + 32;

}  // namespace

TEST_CASE("a slot opens with its secret and tells its header without", "[crypto][slot]") {
    const SlotSource source = GENERATE(SlotSource::random_key, SlotSource::passphrase);
    const std::string cluster = GENERATE("", "main");
    const UnlockSecret secret = make_secret(source);
    const KeyBundle admin = KeyBundle::create(some_repository());
    const Bytes slot = make_slot(secret, admin, options(cluster));
    const SlotHeader header = read_slot_header(slot);
    CHECK(header.generation == 1);
    CHECK(header.source == source);
    CHECK(header.bundle == (cluster.empty() ? BundleKind::read : BundleKind::put));
    CHECK(header.repository == some_repository());
    CHECK(header.created == 1700000000);
    CHECK(header.label == "db1");
    CHECK(header.cluster == cluster);
    if (source == SlotSource::random_key) CHECK(header.id == secret.slot_id());
    const auto bundle = open_slot(secret, slot);
    REQUIRE(bundle.has_value());
    const KeyBundle expected = cluster.empty() ? admin : admin.make_put_bundle(cluster);
    CHECK(equal(bundle->encode(), expected.encode()));
    CHECK(is_slot_endorsed(slot, admin.admin_public_key()));
}

TEST_CASE("a wrong secret is not called damage", "[crypto][slot]") {
    const KeyBundle admin = KeyBundle::create(some_repository());
    const UnlockSecret secret = UnlockSecret::make_random_key();
    const Bytes by_key = make_slot(secret, admin, options());
    const Bytes by_passphrase = make_slot(UnlockSecret::from_passphrase("a"), admin, options());
    CHECK_FALSE(open_slot(UnlockSecret::make_random_key(), by_key).has_value());
    CHECK_FALSE(open_slot(UnlockSecret::from_passphrase("a"), by_key).has_value());
    CHECK_FALSE(open_slot(secret, by_passphrase).has_value());
    CHECK_FALSE(open_slot(UnlockSecret::from_passphrase("b"), by_passphrase).has_value());
    CHECK(open_slot(UnlockSecret::from_passphrase("a"), by_passphrase).has_value());

    // The slot's id with another key: a key file of a slot that was made twice.
    std::string text(as_text(UnlockSecret::make_random_key().to_key_text()));
    Bytes id_and_key = to_bytes(secret.slot_id());
    append(id_and_key, from_hex(text.substr(46, 64)));
    std::byte crc[4];
    store_be(crc, crc32c(id_and_key));
    text =
        "WALDEN-KEY-1-" + to_hex(secret.slot_id()) + "-" + text.substr(46, 64) + "-" + to_hex(crc);
    CHECK_FALSE(open_slot(UnlockSecret::from_key_text(text), by_key).has_value());
}

TEST_CASE("a slot with any bit flipped or cut anywhere is corrupt", "[crypto][slot]") {
    const SlotSource source = GENERATE(SlotSource::random_key, SlotSource::passphrase);
    const UnlockSecret secret = make_secret(source);
    const Bytes slot = make_slot(secret, KeyBundle::create(some_repository()), options("main"));
    for (std::size_t bit = 0; bit < slot.size() * 8; ++bit)
        CHECK(kind_of([&] { (void)open_slot(secret, with_bit_flipped(slot, bit)); }) ==
              ErrorKind::corrupt);
    for (std::size_t size = 0; size < slot.size(); ++size)
        CHECK(kind_of([&] { (void)open_slot(secret, ByteView(slot).first(size)); }) ==
              ErrorKind::corrupt);
}

TEST_CASE("a slot that was changed does not open even if its checksum was made to fit",
          "[crypto][slot]") {
    const UnlockSecret secret = UnlockSecret::make_random_key();
    const Bytes slot = make_slot(secret, KeyBundle::create(some_repository()), options("main"));
    REQUIRE(opens(secret, with_fitting_crc(slot)));
    for (std::size_t bit = 0; bit < (slot.size() - 4) * 8; ++bit) {
        INFO("bit " << bit);
        CHECK_FALSE(opens(secret, with_fitting_crc(with_bit_flipped(slot, bit))));
    }
    for (std::size_t size = 4; size < slot.size(); ++size)
        CHECK_FALSE(opens(secret, with_fitting_crc(to_bytes(ByteView(slot).first(size)))));
}

TEST_CASE("a later generation that was changed is refused even if its checksum fits",
          "[crypto][slot]") {
    const Rotated rotated("main");
    const Bytes& slot = rotated.slots[1];
    for (std::size_t bit = 0; bit < (slot.size() - 4) * 8; ++bit) {
        INFO("bit " << bit);
        const auto failure = chain_failure(
            rotated.secret, {rotated.slots[0], with_fitting_crc(with_bit_flipped(slot, bit))});
        CHECK((failure == ErrorKind::corrupt || failure == ErrorKind::usage));
    }
}

TEST_CASE("a passphrase slot with changed scrypt parameters does not open", "[crypto][slot]") {
    const UnlockSecret secret = UnlockSecret::from_passphrase("a");
    const Bytes slot = make_slot(secret, KeyBundle::create(some_repository()), options());
    const std::size_t cost_offset = repository_offset + 16;
    for (const std::size_t byte :
         {cost_offset + 1, cost_offset + 8, cost_offset + 12, cost_offset + 16, cost_offset + 47})
        for (std::size_t bit = 0; bit < 8; ++bit)
            CHECK_FALSE(opens(secret, with_fitting_crc(with_bit_flipped(slot, byte * 8 + bit))));
    Bytes hostile = slot;
    store_le(&hostile[cost_offset], std::uint64_t{1} << 40);  // 2^40 * 128 bytes of memory
    CHECK(kind_of([&] { (void)open_slot(secret, with_fitting_crc(hostile)); }) ==
          ErrorKind::corrupt);
}

TEST_CASE("a chain of rotations opens generation by generation", "[crypto][slot]") {
    const std::string cluster = GENERATE("", "main");
    const Rotated rotated(cluster);
    const auto expected = [&](const KeyBundle& bundle) {
        return (cluster.empty() ? bundle : bundle.make_put_bundle(cluster)).encode();
    };
    const auto first = open_slot(rotated.secret, rotated.slots[0]);
    REQUIRE(first.has_value());
    CHECK(equal(first->encode(), expected(rotated.first)));

    const auto chain = open_slot_chain(rotated.secret, rotated.slots);
    REQUIRE(chain.has_value());
    REQUIRE(chain->size() == 3);
    CHECK(equal((*chain)[0].encode(), expected(rotated.first)));
    CHECK(equal((*chain)[1].encode(), expected(rotated.second)));
    CHECK(equal((*chain)[2].encode(), expected(rotated.third)));
    CHECK(chain->back().epochs().size() == 3);
    CHECK_FALSE(open_slot_chain(UnlockSecret::make_random_key(), rotated.slots).has_value());
}

TEST_CASE("generations that are swapped, skipped or repeated are refused", "[crypto][slot]") {
    const Rotated r;
    CHECK(chain_failure(r.secret, {r.slots[1]}) == ErrorKind::corrupt);
    CHECK(chain_failure(r.secret, {r.slots[0], r.slots[2]}) == ErrorKind::corrupt);
    CHECK(chain_failure(r.secret, {r.slots[0], r.slots[0]}) == ErrorKind::corrupt);
    CHECK(chain_failure(r.secret, {r.slots[0], r.slots[1], r.slots[1]}) == ErrorKind::corrupt);
    CHECK(kind_of([&] { (void)open_slot(r.secret, r.slots[1]); }) == ErrorKind::corrupt);
    // The number alone changed: the signatures hold it.
    Bytes renumbered = r.slots[2];
    store_le(&renumbered[generation_offset], std::uint32_t{2});
    CHECK(chain_failure(r.secret, {r.slots[0], with_fitting_crc(renumbered)}) ==
          ErrorKind::corrupt);
}

TEST_CASE("a generation forged without the admin key is refused", "[crypto][slot]") {
    const Rotated r;
    const KeyBundle mallory = KeyBundle::create(some_repository());
    // Complete in itself, but endorsed and signed with a key that generation 1 does not name.
    const UnlockSecret& secret = r.secret;
    const Bytes own_first = make_slot(secret, mallory, options());
    const Bytes forged = make_next_generation(own_first, mallory, mallory.rotate());
    CHECK(chain_failure(secret, {r.slots[0], forged}) == ErrorKind::corrupt);
    // The true second generation, signed by the wrong one.
    CHECK(chain_failure(secret, {r.slots[0], resigned(r.slots[1], mallory.admin_secret_key(),
                                                      r.second.admin_secret_key())}) ==
          ErrorKind::corrupt);
    CHECK(chain_failure(secret, {r.slots[0], resigned(r.slots[1], r.first.admin_secret_key(),
                                                      mallory.admin_secret_key())}) ==
          ErrorKind::corrupt);
    // resigned() itself makes what is accepted, so the refusals above are for the keys.
    CHECK_FALSE(chain_failure(secret, {r.slots[0], resigned(r.slots[1], r.first.admin_secret_key(),
                                                            r.second.admin_secret_key())}));
}

TEST_CASE("a slot of another repository or another slot is not a next generation",
          "[crypto][slot]") {
    const Rotated r;
    Bytes moved = r.slots[1];
    moved[repository_offset] ^= std::byte{1};
    moved = resigned(moved, r.first.admin_secret_key(), r.second.admin_secret_key());
    CHECK(chain_failure(r.secret, {r.slots[0], moved}) == ErrorKind::corrupt);

    // Two slots of one repository, rotated by the same admin.
    const UnlockSecret other_secret = UnlockSecret::make_random_key();
    const Bytes other = make_slot(other_secret, r.first, options());
    const Bytes other_next = make_next_generation(other, r.first, r.second);
    REQUIRE_FALSE(chain_failure(other_secret, {other, other_next}));
    CHECK(chain_failure(r.secret, {r.slots[0], other_next}) == ErrorKind::corrupt);
}

TEST_CASE("a generation that drops an epoch is refused", "[crypto][slot]") {
    const UnlockSecret secret = UnlockSecret::make_random_key();
    const KeyBundle first = KeyBundle::create(some_repository()).rotate();
    const KeyBundle unrelated = KeyBundle::create(some_repository());
    const Bytes slot = make_slot(secret, first, options());
    const Bytes next = make_next_generation(slot, first, unrelated);
    CHECK(chain_failure(secret, {slot, next}) == ErrorKind::corrupt);
}

TEST_CASE("a rotation does not hand new keys to a slot that somebody put into the store",
          "[crypto][slot]") {
    const KeyBundle admin = KeyBundle::create(some_repository());
    const KeyBundle mallory = KeyBundle::create(some_repository());
    const Bytes planted = make_slot(UnlockSecret::make_random_key(), mallory, options());
    CHECK(kind_of([&] { (void)make_next_generation(planted, admin, admin.rotate()); }) ==
          ErrorKind::denied);

    // Their public key in a slot of ours.
    Bytes altered = make_slot(UnlockSecret::make_random_key(), admin, options());
    const X25519PublicKey theirs = make_x25519_key_pair().public_key;
    std::copy(theirs.begin(), theirs.end(), altered.begin() + public_key_offset);
    altered = with_fitting_crc(std::move(altered));
    CHECK(kind_of([&] { (void)make_next_generation(altered, admin, admin.rotate()); }) ==
          ErrorKind::denied);
}

TEST_CASE("after a rotation the old admin key is worth nothing", "[crypto][slot]") {
    const Rotated r;
    // Whoever has a leaked first bundle makes a slot after the second rotation.
    const Bytes late = make_slot(UnlockSecret::make_random_key(), r.first, options());
    CHECK_FALSE(is_slot_endorsed(late, r.third.admin_public_key()));
    CHECK(kind_of([&] { (void)make_next_generation(late, r.third, r.third.rotate()); }) ==
          ErrorKind::denied);
    // The rotated slots follow.
    CHECK(is_slot_endorsed(r.slots[2], r.third.admin_public_key()));
    CHECK_NOTHROW(make_next_generation(r.slots[2], r.third, r.third.rotate()));
}

TEST_CASE("a slot keeps its kind through a rotation", "[crypto][slot]") {
    const Rotated r("main");
    const auto chain = open_slot_chain(r.secret, r.slots);
    REQUIRE(chain.has_value());
    CHECK(chain->back().kind() == BundleKind::put);
    for (const Bytes& slot : r.slots) CHECK(read_slot_header(slot).bundle == BundleKind::put);
}

TEST_CASE("only a read bundle makes slots", "[crypto][slot]") {
    const KeyBundle admin = KeyBundle::create(some_repository());
    const KeyBundle put = admin.make_put_bundle("main");
    const UnlockSecret secret = UnlockSecret::make_random_key();
    CHECK(kind_of([&] { (void)make_slot(secret, put, options("main")); }) == ErrorKind::usage);
    const Bytes slot = make_slot(secret, admin, options("main"));
    CHECK(kind_of([&] { (void)make_next_generation(slot, put, put); }) == ErrorKind::usage);
}

TEST_CASE("a slot of a newer version is not called corrupt", "[crypto][slot]") {
    Bytes slot =
        make_slot(UnlockSecret::make_random_key(), KeyBundle::create(some_repository()), options());
    slot[8] = std::byte{2};
    CHECK(kind_of([&] { (void)read_slot_header(slot); }) == ErrorKind::corrupt);
    CHECK(kind_of([&] { (void)read_slot_header(with_fitting_crc(slot)); }) == ErrorKind::usage);
}

TEST_CASE("labels that could harm a terminal are refused, made or read", "[crypto][slot]") {
    const KeyBundle admin = KeyBundle::create(some_repository());
    NewSlot bad = options();
    bad.label = "\x1b[2J";
    CHECK(kind_of([&] { (void)make_slot(UnlockSecret::make_random_key(), admin, bad); }) ==
          ErrorKind::usage);
    Bytes slot = make_slot(UnlockSecret::make_random_key(), admin, options());
    slot[public_key_offset + 32 + 2] = std::byte{0x1b};
    CHECK(kind_of([&] { (void)read_slot_header(with_fitting_crc(slot)); }) == ErrorKind::corrupt);
}

TEST_CASE("a slot shows none of the secrets it wraps", "[crypto][slot]") {
    const Rotated r;
    for (const Bytes& slot : r.slots)
        for (const KeyEpoch& epoch : r.third.epochs()) {
            CHECK_FALSE(contains(slot, epoch.secret_key->view()));
            CHECK_FALSE(contains(slot, epoch.psk.view()));
        }
}
