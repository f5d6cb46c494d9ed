#include "storage/fencing_probe.h"

#include "base/error.h"
#include "storage/wrappers/forwarding_storage.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"

#include <catch2/catch.hpp>

#include <mutex>

using namespace walden;
using namespace walden::storage;
using vault::ObjectInfo;
using PutOutcome = vault::ObjectStorage::PutOutcome;

namespace {

/// A store whose condition does not hold in one of the ways seen in the field.
class LeakyStorage : public ForwardingStorage {
public:
    enum class Leak : std::uint8_t {
        ignores_condition,  ///< versitygw, mocks: every writer "wins", the last one stays
        looks_first,        ///< right in turn, not at once
        lies,               ///< refuses the second, and yet keeps its bytes
        pretends,           ///< tells the second that it has written, and keeps the first
    };

    LeakyStorage(MemoryStorage& memory, Leak leak)
        : ForwardingStorage(memory), memory_(memory), leak_(leak) {}

    PutOutcome put_new(const std::string& key, ByteView body) override {
        const std::lock_guard lock(mutex_);
        const bool is_there = memory_.stat(key).has_value();
        const bool is_race = as_text(body).starts_with("writer");
        if (leak_ == Leak::ignores_condition || leak_ == Leak::lies || !is_there || is_race)
            memory_.overwrite(key, body);
        const bool is_refused =
            is_there && (leak_ == Leak::lies || (leak_ == Leak::looks_first && !is_race));
        if (leak_ == Leak::pretends) return PutOutcome::created;
        return is_refused ? PutOutcome::already_present : PutOutcome::created;
    }

    void remove(std::span<const std::string>) override {
        throw Error(ErrorKind::denied, "may not remove");
    }

private:
    MemoryStorage& memory_;
    std::mutex mutex_;
    Leak leak_;
};

}  // namespace

TEST_CASE("a store that creates only if absent is found to fence, and left as it was",
          "[storage][fencing]") {
    MemoryStorage memory;
    const FencingProof proof = probe_fencing(memory, "checks/1");
    CHECK(proof.is_proven);
    CHECK(proof.reason.empty());
    memory.list("", "", [](const ObjectInfo& object) -> bool {
        FAIL(object.key);
        return false;
    });
}

TEST_CASE("each way of not fencing is found out (faults 20, 21)", "[storage][fencing]") {
    using Leak = LeakyStorage::Leak;
    MemoryStorage memory[4];
    LeakyStorage ignoring(memory[0], Leak::ignores_condition);
    LeakyStorage looking(memory[1], Leak::looks_first);
    LeakyStorage lying(memory[2], Leak::lies);
    LeakyStorage pretending(memory[3], Leak::pretends);
    CHECK(probe_fencing(ignoring, "k").reason == "the second of two writers was let in");
    CHECK(probe_fencing(looking, "k").reason == "16 of 16 writers at once were let in");
    CHECK(probe_fencing(lying, "k").reason ==
          "the second of two writers replaced the object of the first");
    CHECK(probe_fencing(pretending, "k").reason ==
          "the second of two writers was told that it had written, and had not");
    CHECK_FALSE(probe_fencing(ignoring, "k").is_proven);
}

TEST_CASE("an answer that got lost does not spoil the probe (fault 2)", "[storage][fencing]") {
    for (std::uint64_t at = 1; at <= 18; ++at)
        for (const FaultMode mode : {FaultMode::error_before, FaultMode::error_after}) {
            INFO(at << " " << static_cast<int>(mode));
            MemoryStorage memory;
            FaultyStorage faulty(memory);
            faulty.inject({.at = at, .mode = mode, .verb = StorageVerb::put_new});
            CHECK(probe_fencing(faulty, "k").is_proven);
        }
}
