#include "storage/fencing_probe.h"

#include "base/error.h"
#include "base/guarded.h"
#include "storage/memory/memory_storage.h"
#include "storage/wrappers/faulty_storage.h"

#include <catch2/catch.hpp>

#include <map>

using namespace walden;
using namespace walden::storage;
using vault::ObjectInfo;
using PutOutcome = vault::ObjectStorage::PutOutcome;

namespace {

/// A store whose condition does not hold in one of the ways seen in the field.
class LeakyStorage : public vault::ObjectStorage {
public:
    enum class Leak : std::uint8_t {
        ignores_condition,  ///< versitygw, mocks: every writer "wins", the last one stays
        looks_first,        ///< right in turn, not at once
        lies,               ///< refuses the second, and yet keeps its bytes
    };

    explicit LeakyStorage(Leak leak) : leak_(leak) {}

    PutOutcome put_new(const std::string& key, ByteView body) override {
        const std::string text(as_text(body));
        return objects_.with([&](auto& objects) {
            const bool is_there = objects.contains(key);
            const bool is_race = text.starts_with("writer");
            if (leak_ == Leak::ignores_condition || leak_ == Leak::lies || !is_there || is_race)
                objects[key] = text;
            const bool is_refused =
                is_there && (leak_ == Leak::lies || (leak_ == Leak::looks_first && !is_race));
            return is_refused ? PutOutcome::already_present : PutOutcome::created;
        });
    }

    bool get(const std::string& key, Bytes& out) override {
        return objects_.with([&](const auto& objects) {
            const auto found = objects.find(key);
            if (found == objects.end()) return false;
            out = to_bytes(as_bytes(found->second));
            return true;
        });
    }

    bool get_range(const std::string&, std::uint64_t, std::size_t, Bytes&) override {
        return false;
    }

    std::optional<ObjectInfo> stat(const std::string&) override { return std::nullopt; }

    void list(const std::string&, const std::string&,
              const std::function<bool(const ObjectInfo&)>&) override {}

    void remove(std::span<const std::string>) override {
        throw Error(ErrorKind::denied, "may not remove");
    }

    [[nodiscard]] std::string describe() const override { return "leaky"; }

private:
    Leak leak_;
    Guarded<std::map<std::string, std::string>> objects_;
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
    LeakyStorage ignoring(Leak::ignores_condition), looking(Leak::looks_first), lying(Leak::lies);
    CHECK(probe_fencing(ignoring, "k").reason == "the second of two writers was let in");
    CHECK(probe_fencing(looking, "k").reason == "16 of 16 writers at once were let in");
    CHECK(probe_fencing(lying, "k").reason ==
          "the second of two writers replaced the object of the first");
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
