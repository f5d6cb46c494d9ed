#include "repository_fixture.h"
#include "support/errors.h"
#include "support/faulty_storage.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;
using crypto::UnlockSecret;
using storage::FaultMode;
using storage::FaultyStorage;
using storage::MemoryStorage;

namespace {

constexpr ObjectPlace place{.kind = ObjectKind::content, .key = "clusters/main/content"};

Bytes seal_as(ObjectStorage& storage, const UnlockSecret& secret, std::string_view text) {
    return seal_object(open_with(storage, secret).keyring("main"), place,
                       {.codec = codec::CodecId::none,
                        .plain_size = text.size(),
                        .content_id = {},
                        .encoded = as_bytes(text)});
}

std::string open_as(ObjectStorage& storage, const UnlockSecret& secret, ByteView object) {
    const ClusterKeyring keys = open_with(storage, secret).keyring("main");
    return std::string(as_text(unseal_object(keys, place, object).encoded));
}

std::uint32_t epoch_of(ObjectStorage& storage, const UnlockSecret& secret) {
    return open_with(storage, secret).bundle()->current_epoch().number;
}

}  // namespace

TEST_CASE("a rotation moves every slot to the new epoch, old contents stay readable",
          "[vault][rotation]") {
    SharedRepository shared;
    const Bytes before = seal_as(shared.storage, shared.host, "before");
    for (std::uint32_t epoch = 2; epoch <= 4; ++epoch) {
        const Rotation rotation =
            rotate_keys(open_with(shared.storage, epoch % 2 == 0 ? shared.admin : shared.second));
        CHECK(rotation.epoch == epoch);
        CHECK_FALSE(rotation.was_resumed);
        for (const UnlockSecret& holder : {shared.admin, shared.second, shared.host})
            CHECK(epoch_of(shared.storage, holder) == epoch);
    }
    const Bytes after = seal_as(shared.storage, shared.host, "after");
    CHECK(inspect_object(after).epoch == 4);
    for (const UnlockSecret& reader : {shared.admin, shared.second}) {
        CHECK(open_as(shared.storage, reader, before) == "before");
        CHECK(open_as(shared.storage, reader, after) == "after");
    }
    CHECK(kind_of([&] { open_as(shared.storage, shared.host, after); }) == ErrorKind::usage);
}

TEST_CASE("a slot that was removed gets nothing of what is sealed after a rotation",
          "[vault][rotation]") {
    SharedRepository shared;
    const Repository leaver = open_with(shared.storage, shared.second);
    shared.storage.remove(list_slots(shared.storage)[1].header.id == shared.second.slot_id()
                              ? list_slots(shared.storage)[1].keys
                              : std::vector<std::string>{key_slot_key(shared.second.slot_id(), 1)});
    rotate_keys(open_with(shared.storage, shared.admin));
    const Bytes after = seal_as(shared.storage, shared.host, "after");
    CHECK(kind_of([&] {
              static_cast<void>(unseal_object(leaver.keyring("main"), place, after));
          }) == ErrorKind::usage);
}

TEST_CASE("a rotation interrupted at any call leaves all readable, and is completed by the next",
          "[vault][rotation]") {
    const bool is_resumed_by_admin = GENERATE(true, false);
    for (const FaultMode mode : {FaultMode::error_before, FaultMode::error_after,
                                 FaultMode::crash_before, FaultMode::crash_after})
        for (std::uint64_t n = 1;; ++n) {
            INFO("call " << n << " mode " << static_cast<int>(mode));
            SharedRepository shared;
            FaultyStorage faulty(shared.storage);
            {
                const Repository repository = open_with(faulty, shared.admin);
                faulty.inject({.at = n, .mode = mode});
                const auto failure = kind_of([&] { rotate_keys(repository); });
                if (faulty.fault_count() == 0) {
                    CHECK(n > 5);
                    break;
                }
                CHECK(failure == ErrorKind::unavailable);
            }
            // Whoever may archive, archives; somebody can read it at once.
            const Bytes between = seal_as(shared.storage, shared.host, "between");
            CHECK(open_as(shared.storage, shared.admin, between) == "between");
            CHECK_FALSE(mentions(
                message_of([&] { open_as(shared.storage, shared.second, between); }), "damage"));

            const bool had_begun = epoch_of(shared.storage, shared.admin) == 2;
            const bool second_was_moved = epoch_of(shared.storage, shared.second) == 2;
            const bool host_was_moved = epoch_of(shared.storage, shared.host) == 2;
            const UnlockSecret& finisher = is_resumed_by_admin || (had_begun && !second_was_moved)
                                               ? shared.admin
                                               : shared.second;
            const Repository repository = open_with(shared.storage, finisher);
            const bool is_half_done = had_begun && !(second_was_moved && host_was_moved);
            // Not without a word from a person: a thief's slot would look the same.
            if (is_half_done)
                CHECK(kind_of([&] { rotate_keys(repository); }) == ErrorKind::conflict);
            const Rotation rotation = rotate_keys(repository, LeftBehind::complete);
            CHECK(rotation.was_resumed == is_half_done);
            CHECK(rotation.epoch >= 2);
            const Bytes after = seal_as(shared.storage, shared.host, "after");
            for (const UnlockSecret& holder : {shared.admin, shared.second, shared.host})
                CHECK(epoch_of(shared.storage, holder) == rotation.epoch);
            for (const UnlockSecret& reader : {shared.admin, shared.second}) {
                CHECK(open_as(shared.storage, reader, between) == "between");
                CHECK(open_as(shared.storage, reader, after) == "after");
            }
        }
}

TEST_CASE("a holder who was left behind cannot fork the keys: the second epoch is refused",
          "[vault][rotation]") {
    SharedRepository shared;
    FaultyStorage faulty(shared.storage);
    {
        const Repository repository = open_with(faulty, shared.admin);
        faulty.inject(
            {.at = 2, .mode = FaultMode::crash_before, .verb = storage::StorageVerb::put_new});
        CHECK(kind_of([&] { rotate_keys(repository); }) == ErrorKind::unavailable);
    }
    REQUIRE(epoch_of(shared.storage, shared.admin) == 2);
    REQUIRE(epoch_of(shared.storage, shared.second) == 1);
    // second's bundle does not know the admin key of epoch 2: to it, that slot is a stranger's.
    CHECK(kind_of([&] { rotate_keys(open_with(shared.storage, shared.second)); }) ==
          ErrorKind::denied);
    CHECK(epoch_of(shared.storage, shared.second) == 1);
    CHECK(rotate_keys(open_with(shared.storage, shared.admin), LeftBehind::complete).was_resumed);
    CHECK(epoch_of(shared.storage, shared.second) == 2);
}

TEST_CASE("a slot that a stranger planted is refused by name", "[vault][rotation]") {
    SharedRepository shared;
    const UnlockSecret thief = UnlockSecret::make_random_key();
    // Everything about it is right but the endorsement.
    add_slot(shared.storage, thief, crypto::KeyBundle::create(test_repository()),
             new_slot("admin"));
    const auto error = error_of([&] { rotate_keys(open_with(shared.storage, shared.admin)); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::denied);
    CHECK(mentions(error->message(), to_hex(thief.slot_id())));
    CHECK(keys_of(shared.storage, "keys/" + to_hex(thief.slot_id())).size() == 1);

    shared.storage.remove(std::vector<std::string>{key_slot_key(thief.slot_id(), 1)});
    rotate_keys(open_with(shared.storage, shared.admin));
    for (const UnlockSecret& holder : {shared.admin, shared.second, shared.host})
        CHECK(epoch_of(shared.storage, holder) == 2);
}

TEST_CASE("a former holder who adds a slot with the key he kept gets nothing",
          "[vault][rotation]") {
    SharedRepository shared;
    const Repository leaver = open_with(shared.storage, shared.second);
    shared.storage.remove(std::vector<std::string>{key_slot_key(shared.second.slot_id(), 1)});
    rotate_keys(open_with(shared.storage, shared.admin));
    const UnlockSecret thief = UnlockSecret::make_random_key();
    add_slot(shared.storage, thief, *leaver.bundle(), new_slot("second"));

    const auto error = error_of([&] { rotate_keys(open_with(shared.storage, shared.admin)); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::conflict);
    CHECK(mentions(error->message(), to_hex(thief.slot_id())));
    CHECK(epoch_of(shared.storage, thief) == 1);

    // Two rotations later not even a person's word lets it in.
    shared.storage.remove(std::vector<std::string>{key_slot_key(thief.slot_id(), 1)});
    rotate_keys(open_with(shared.storage, shared.admin));
    add_slot(shared.storage, thief, *leaver.bundle(), new_slot("second"));
    CHECK(kind_of([&] {
              rotate_keys(open_with(shared.storage, shared.admin), LeftBehind::complete);
          }) == ErrorKind::denied);
    CHECK(epoch_of(shared.storage, thief) == 1);
}

TEST_CASE("a rotation from a slot that is gone would seal to keys that nobody has, and is refused",
          "[vault][rotation]") {
    SharedRepository shared;
    const Repository repository = open_with(shared.storage, shared.admin);
    shared.storage.remove(std::vector<std::string>{key_slot_key(shared.admin.slot_id(), 1)});
    CHECK(kind_of([&] { rotate_keys(repository); }) == ErrorKind::conflict);
    CHECK(epoch_of(shared.storage, shared.host) == 1);
    CHECK(epoch_of(shared.storage, shared.second) == 1);
}

TEST_CASE("of two rotations at once one is told, and no slot is lost", "[vault][rotation]") {
    SharedRepository shared;
    const Repository first = open_with(shared.storage, shared.admin);
    const Repository same = open_with(shared.storage, shared.admin);
    rotate_keys(first);
    // Began before, acts after: it finds slots of an epoch that it does not know.
    CHECK(kind_of([&] { rotate_keys(same); }) == ErrorKind::denied);
    for (const UnlockSecret& holder : {shared.admin, shared.second, shared.host})
        CHECK(epoch_of(shared.storage, holder) == 2);
}
