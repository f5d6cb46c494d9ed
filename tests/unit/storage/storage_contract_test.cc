#include "tests/support/storage_contract.h"

#include "storage/posix/posix_storage.h"
#include "storage/wrappers/retrying_storage.h"
#include "support/counting_storage.h"
#include "support/faulty_storage.h"
#include "support/memory_storage.h"
#include "tests/support/scratch_directory.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::storage;
using testing::check_storage_contract;
using vault::ObjectStorage;

namespace {

class MemoryFixture : public testing::StorageFixture {
public:
    ObjectStorage& storage() override { return memory_; }

private:
    MemoryStorage memory_;
};

class PosixFixture : public testing::StorageFixture {
public:
    ObjectStorage& storage() override { return posix_; }

    [[nodiscard]] std::size_t component_size_max() const override { return 255; }

private:
    testing::ScratchDirectory directory_;
    PosixStorage posix_{directory_.path()};
};

template <class Wrapper>
class WrapperFixture : public testing::StorageFixture {
public:
    ObjectStorage& storage() override { return wrapper_; }

private:
    MemoryStorage memory_;
    Wrapper wrapper_{memory_};
};

RetryOptions patient_options() {
    RetryOptions options;
    options.attempt_count_max = 1000;
    options.sleep = [](std::chrono::milliseconds, const std::stop_token&) {};
    return options;
}

/// A third of the calls fail; only with faults that leave no doubt about the outcome, since the
/// contract's "exactly one created" is not promised after an unknown one.
class TroubledFixture : public testing::StorageFixture {
public:
    TroubledFixture() {
        faulty_.inject_randomly(20240229, 0.33, {FaultMode::error_before, FaultMode::torn_read});
    }

    ObjectStorage& storage() override { return retrying_; }

private:
    /// torn_read damages a get silently, which no retry can notice; so it only reaches listings.
    class ListingsTorn : public ForwardingStorage {
    public:
        ListingsTorn(ObjectStorage& calm, ObjectStorage& troubled)
            : ForwardingStorage(troubled), calm_(calm) {}

        bool get(const std::string& key, Bytes& out) override { return calm_.get(key, out); }

        bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                       Bytes& out) override {
            return calm_.get_range(key, offset, size, out);
        }

    private:
        ObjectStorage& calm_;
    };

    MemoryStorage memory_;
    FaultyStorage faulty_{memory_};
    ListingsTorn mixed_{memory_, faulty_};
    RetryingStorage retrying_{mixed_, patient_options()};
};

class RetryingFixture : public testing::StorageFixture {
public:
    ObjectStorage& storage() override { return retrying_; }

private:
    MemoryStorage memory_;
    RetryingStorage retrying_{memory_, patient_options()};
};

template <class Fixture>
void check() {
    check_storage_contract([] { return std::make_unique<Fixture>(); });
}

}  // namespace

TEST_CASE("MemoryStorage keeps the contract of the port", "[storage][contract]") {
    check<MemoryFixture>();
}

TEST_CASE("PosixStorage keeps the contract of the port", "[storage][contract]") {
    check<PosixFixture>();
}

TEST_CASE("CountingStorage keeps the contract of the port", "[storage][contract]") {
    check<WrapperFixture<CountingStorage>>();
}

TEST_CASE("FaultyStorage without faults keeps the contract of the port", "[storage][contract]") {
    check<WrapperFixture<FaultyStorage>>();
}

TEST_CASE("RetryingStorage keeps the contract of the port", "[storage][contract]") {
    check<RetryingFixture>();
}

TEST_CASE("RetryingStorage over a store that often fails keeps the contract of the port",
          "[storage][contract]") {
    check<TroubledFixture>();
}
