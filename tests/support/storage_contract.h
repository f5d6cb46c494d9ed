// The contract of the port, one suite for every implementation. Whoever implements ObjectStorage
// writes a fixture and runs
//
//     TEST_CASE("MyStorage keeps the contract of the port", "[storage][contract]") {
//         check_storage_contract([] { return std::make_unique<MyFixture>(); });
//     }
#pragma once

#include "vault/object_storage.h"

#include <functional>
#include <memory>

namespace walden::testing {

/// One empty storage and what it stands on.
class StorageFixture {
public:
    StorageFixture() = default;
    StorageFixture(const StorageFixture&) = delete;
    StorageFixture& operator=(const StorageFixture&) = delete;
    virtual ~StorageFixture() = default;

    virtual vault::ObjectStorage& storage() = 0;

    /// Bytes that a component of a key may have here; the port's limit unless declared otherwise.
    [[nodiscard]] virtual std::size_t component_size_max() const {
        return vault::ObjectStorage::key_size_max;
    }

    /// False where the store has no conditional writes and was accepted without: then the port's
    /// promise to one of many writers is void, and that clause is not tried.
    [[nodiscard]] virtual bool is_fenced() const { return true; }

    /// How many objects the listing and reader checks use: fewer where each costs a request.
    [[nodiscard]] virtual std::size_t object_count() const { return 3000; }
};

using StorageFixtureFactory = std::function<std::unique_ptr<StorageFixture>()>;

/// Runs each clause of the contract on a fixture of its own, as a section named by the clause.
void check_storage_contract(const StorageFixtureFactory& make_fixture);

}  // namespace walden::testing
