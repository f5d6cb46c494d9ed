#include "base/hash.h"
#include "repository_fixture.h"
#include "support/errors.h"
#include "support/faulty_storage.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;
using crypto::Suite;
using crypto::UnlockSecret;
using storage::FaultMode;
using storage::FaultyStorage;
using storage::MemoryStorage;

namespace {

UnlockSecret no_secret() {
    throw Error(ErrorKind::usage, "no secret must be asked for");
}

std::optional<ErrorKind> failure_to_open(ObjectStorage& storage, const UnlockSecret& secret) {
    return kind_of([&] { static_cast<void>(open_with(storage, secret)); });
}

std::string slot_key(const UnlockSecret& secret, std::uint32_t generation = 1) {
    return key_slot_key(secret.slot_id(), generation);
}

void create(ObjectStorage& storage, const UnlockSecret& secret) {
    Repository::create(storage, sample_descriptor(), &secret, new_slot("admin"));
}

}  // namespace

TEST_CASE("a repository opens with its key, and says what it is", "[vault][repository]") {
    MemoryStorage storage;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    create(storage, secret);
    CHECK(keys_of(storage) == std::vector<std::string>{slot_key(secret), "walden.repository"});
    const Repository repository = open_with(storage, secret);
    CHECK(repository.descriptor() == sample_descriptor());
    CHECK(repository.bundle()->kind() == crypto::BundleKind::read);
    CHECK(repository.bundle()->repository() == test_repository());
    CHECK(repository.bundles().size() == 1);
    CHECK(repository.opened_slot()->label == "admin");
    CHECK(repository.keyring("any").can_read_contents());
}

TEST_CASE("an unencrypted repository opens without a key", "[vault][repository]") {
    MemoryStorage storage;
    Repository::create(storage, sample_descriptor(Suite::none), nullptr, {});
    const Repository repository =
        Repository::open(storage, {.id = test_repository(), .encryption = false}, no_secret);
    CHECK(repository.bundle() == nullptr);
    CHECK_FALSE(repository.opened_slot().has_value());
    CHECK(repository.keyring("main").suite() == Suite::none);
    CHECK(kind_of([&] { rotate_keys(repository); }) == ErrorKind::usage);
}

TEST_CASE("a store without a descriptor is not initialised, or not mounted (faults 30, 31)",
          "[vault][repository]") {
    MemoryStorage storage;
    const auto error =
        error_of([&] { static_cast<void>(Repository::open(storage, {}, no_secret)); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::not_found);
    CHECK(error->message() == "\"memory:\" holds no walden repository");
    CHECK_FALSE(Repository::read_descriptor(storage).has_value());
    CHECK(keys_of(storage).empty());
}

TEST_CASE("a repository other than the configured one is foreign (faults 30, 97)",
          "[vault][repository]") {
    MemoryStorage storage;
    create(storage, UnlockSecret::make_random_key());
    crypto::RepositoryId other{};
    CHECK(kind_of([&] {
              static_cast<void>(
                  Repository::open(storage, {.id = other, .encryption = true}, no_secret));
          }) == ErrorKind::foreign);
}

TEST_CASE("encryption that differs from the configuration is refused, either way",
          "[vault][repository]") {
    MemoryStorage storage;
    const bool is_encrypted = GENERATE(true, false);
    const UnlockSecret secret = UnlockSecret::make_random_key();
    if (is_encrypted)
        create(storage, secret);
    else
        Repository::create(storage, sample_descriptor(Suite::none), nullptr, {});
    CHECK(kind_of([&] {
              static_cast<void>(Repository::open(
                  storage, {.id = std::nullopt, .encryption = !is_encrypted}, no_secret));
          }) == ErrorKind::usage);
}

TEST_CASE("a wrong key, or one whose slot was removed, does not open", "[vault][repository]") {
    MemoryStorage storage;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    create(storage, secret);
    CHECK(failure_to_open(storage, UnlockSecret::make_random_key()) == ErrorKind::usage);
    CHECK(failure_to_open(storage, UnlockSecret::from_passphrase("guess")) == ErrorKind::usage);
    storage.remove(std::vector<std::string>{slot_key(secret)});
    CHECK(failure_to_open(storage, secret) == ErrorKind::usage);
}

TEST_CASE("a damaged slot or descriptor is corrupt, never \"not there\" (invariant 16)",
          "[vault][repository]") {
    MemoryStorage storage;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    create(storage, secret);
    const std::string key = GENERATE_COPY(values({slot_key(secret), std::string(descriptor_key)}));
    const Bytes object = get(storage, key);
    storage.overwrite(key, with_bit_flipped(object, object.size() * 4));
    CHECK(failure_to_open(storage, secret) == ErrorKind::corrupt);
    storage.overwrite(key, ByteView(object).first(object.size() / 2));
    CHECK(failure_to_open(storage, secret) == ErrorKind::corrupt);
    storage.overwrite(key, {});
    CHECK(failure_to_open(storage, secret) == ErrorKind::corrupt);
}

TEST_CASE("a store that fails is not a store without a repository (fault 39)",
          "[vault][repository]") {
    MemoryStorage memory;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    create(memory, secret);
    for (std::uint64_t n = 1;; ++n) {
        FaultyStorage faulty(memory);
        faulty.inject({.at = n});
        const auto failure = failure_to_open(faulty, secret);
        if (faulty.fault_count() == 0) {
            CHECK(n == 4);  // descriptor, slot generation 1, generation 2
            break;
        }
        CHECK(failure == ErrorKind::unavailable);
    }
}

TEST_CASE("the key slot of another repository is foreign (fault 97)", "[vault][repository]") {
    MemoryStorage ours;
    MemoryStorage theirs;
    const UnlockSecret secret = GENERATE(true, false)
                                    ? UnlockSecret::make_random_key()
                                    : UnlockSecret::from_passphrase("the same passphrase twice");
    create(ours, UnlockSecret::make_random_key());
    Descriptor other = sample_descriptor();
    other.id.fill(std::byte{1});
    Repository::create(theirs, other, &secret, new_slot("theirs"));
    for (const std::string& key : keys_of(theirs, "keys/"))
        static_cast<void>(ours.put_new(key, get(theirs, key)));
    CHECK(failure_to_open(ours, secret) == ErrorKind::foreign);
}

TEST_CASE("a passphrase finds its slot beside others, damaged ones and another repository's",
          "[vault][repository]") {
    MemoryStorage storage;
    const UnlockSecret secret = UnlockSecret::from_passphrase("right");
    create(storage, secret);
    const std::string own = keys_of(storage, "keys/").front();
    const Repository repository = open_with(storage, secret);
    const UnlockSecret second = UnlockSecret::from_passphrase("second");
    add_slot(storage, second, *repository.bundle(), new_slot("second"));
    CHECK(open_with(storage, second).opened_slot()->label == "second");

    // What an interrupted creation leaves: a slot of a repository that never was, made first.
    crypto::RepositoryId never{};
    crypto::NewSlot early = new_slot("left");
    early.created = 1;
    add_slot(storage, secret, crypto::KeyBundle::create(never), early);
    CHECK(open_with(storage, secret).opened_slot()->label == "admin");

    for (const std::string& key : keys_of(storage, "keys/")) {
        if (key == own) continue;
        storage.overwrite(key, as_bytes("rubbish"));
    }
    CHECK(open_with(storage, secret).opened_slot()->label == "admin");
    // Whose slot is damaged is told that it is, not that the passphrase is wrong.
    CHECK(failure_to_open(storage, second) == ErrorKind::corrupt);
}

TEST_CASE("a put bundle of another cluster is refused", "[vault][repository]") {
    SharedRepository shared;
    const Repository repository = open_with(shared.storage, shared.host);
    CHECK(repository.bundle()->kind() == crypto::BundleKind::put);
    CHECK_FALSE(repository.keyring("main").can_read_contents());
    CHECK(kind_of([&] { static_cast<void>(repository.keyring("other")); }) == ErrorKind::usage);
    CHECK(kind_of([&] { rotate_keys(repository); }) == ErrorKind::usage);
    CHECK(kind_of([&] {
              add_slot(shared.storage, UnlockSecret::make_random_key(), *repository.bundle(),
                       new_slot("x"));
          }) == ErrorKind::usage);
}

TEST_CASE("a repository is made only in an empty store", "[vault][repository]") {
    MemoryStorage storage;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    create(storage, secret);
    const auto before = keys_of(storage);
    CHECK(kind_of([&] { create(storage, UnlockSecret::make_random_key()); }) ==
          ErrorKind::conflict);
    CHECK(keys_of(storage) == before);

    MemoryStorage used;
    static_cast<void>(used.put_new("somebody/elses", as_bytes("data")));
    CHECK(kind_of([&] { create(used, secret); }) == ErrorKind::conflict);
    CHECK(keys_of(used).size() == 1);
}

TEST_CASE("a creation interrupted at any call can be repeated with the same key",
          "[vault][repository]") {
    const bool is_random = GENERATE(true, false);
    const UnlockSecret secret = is_random ? UnlockSecret::make_random_key()
                                          : UnlockSecret::from_passphrase("the one and only");
    for (const FaultMode mode : {FaultMode::error_before, FaultMode::error_after,
                                 FaultMode::crash_before, FaultMode::crash_after})
        for (std::uint64_t n = 1;; ++n) {
            INFO("call " << n << " mode " << static_cast<int>(mode));
            MemoryStorage memory;
            FaultyStorage faulty(memory);
            faulty.inject({.at = n, .mode = mode});
            const auto failure = kind_of([&] { create(faulty, secret); });
            if (faulty.fault_count() == 0) break;
            CHECK(failure == ErrorKind::unavailable);
            if (!Repository::read_descriptor(memory)) {
                // Another process makes up another id.
                Descriptor again = sample_descriptor();
                again.id.fill(std::byte{static_cast<unsigned char>(n)});
                const Descriptor made =
                    Repository::create(memory, again, &secret, new_slot("again"));
                CHECK(made == Repository::read_descriptor(memory));
            }
            CHECK(list_slots(memory).size() == 1);
            prove_keyring(open_with(memory, secret).keyring("main"));
        }
}

TEST_CASE("a slot that can only archive is not taken for an interrupted creation",
          "[vault][repository]") {
    SharedRepository shared;
    MemoryStorage storage;
    static_cast<void>(
        storage.put_new(slot_key(shared.host), get(shared.storage, slot_key(shared.host))));
    CHECK(kind_of([&] { create(storage, shared.host); }) == ErrorKind::conflict);
    CHECK_FALSE(Repository::read_descriptor(storage).has_value());
}

TEST_CASE("slots are listed by age with the newest generation, damage by name",
          "[vault][repository]") {
    SharedRepository shared;
    rotate_keys(open_with(shared.storage, shared.admin));
    static_cast<void>(shared.storage.put_new("keys/other", as_bytes("not a slot's name")));
    const auto slots = list_slots(shared.storage);
    REQUIRE(slots.size() == 3);
    for (const SlotState& slot : slots) {
        CHECK(slot.header.generation == 2);
        CHECK(slot.keys == std::vector<std::string>{key_slot_key(slot.header.id, 1),
                                                    key_slot_key(slot.header.id, 2)});
        CHECK(equal(slot.newest, get(shared.storage, key_slot_key(slot.header.id, 2))));
    }
    const std::string key = slot_key(shared.host, 2);
    shared.storage.overwrite(key, as_bytes("rubbish"));
    CHECK(mentions(message_of([&] { static_cast<void>(list_slots(shared.storage)); }), key));
}
