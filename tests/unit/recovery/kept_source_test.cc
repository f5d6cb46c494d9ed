#include "recovery/kept_source.h"

#include "support/errors.h"
#include "support/memory_storage.h"
#include "support/served_recovery.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::recovery;

namespace {

struct Opener {
    storage::MemoryStorage storage{};
    std::atomic<bool> is_current{true};
    std::atomic<bool> is_mounted{true};
    bool fails = false;
    int count = 0;

    [[nodiscard]] KeptSource keep(std::chrono::milliseconds valid_for) {
        return KeptSource(
            [this] {
                ++count;
                if (fails) throw Error(ErrorKind::denied, "no");
                return std::make_shared<TestSource>(storage, is_current, is_mounted);
            },
            valid_for);
    }
};

}  // namespace

TEST_CASE("an archive is opened once while it is trusted", "[prefetch]") {
    Opener opener;
    KeptSource kept = opener.keep(std::chrono::hours(1));
    const auto first = kept.provide();
    CHECK(kept.provide() == first);
    CHECK(opener.count == 1);

    kept.distrust();
    CHECK(kept.provide() != first);
    CHECK(kept.provide() != first);
    CHECK(opener.count == 2);
}

TEST_CASE("an archive is opened anew when it was opened too long ago", "[prefetch]") {
    Opener opener;
    KeptSource kept = opener.keep(std::chrono::milliseconds(-1));
    static_cast<void>(kept.provide());
    static_cast<void>(kept.provide());
    CHECK(opener.count == 2);
}

TEST_CASE("an archive that could not be opened is opened again", "[prefetch]") {
    Opener opener;
    KeptSource kept = opener.keep(std::chrono::hours(1));
    static_cast<void>(kept.provide());
    kept.distrust();
    opener.fails = true;
    CHECK(kind_of([&] { static_cast<void>(kept.provide()); }) == ErrorKind::denied);
    // The old one is not used instead.
    CHECK(kind_of([&] { static_cast<void>(kept.provide()); }) == ErrorKind::denied);
    opener.fails = false;
    CHECK(kept.provide() != nullptr);
    CHECK(opener.count == 4);
}

TEST_CASE("an archive is dropped when the data directory became another cluster's", "[prefetch]") {
    Opener opener;
    KeptSource kept = opener.keep(std::chrono::hours(1));
    opener.is_current = false;
    CHECK_FALSE(kept.drop_foreign());  // nothing is open yet
    const auto first = kept.provide();
    CHECK(kept.drop_foreign());
    CHECK_FALSE(kept.drop_foreign());
    opener.is_current = true;
    CHECK(kept.provide() != first);
    CHECK_FALSE(kept.drop_foreign());
}
