// The kinds of stores as one table. Whoever opens, makes or examines a store asks the row of its
// URL, so no program knows a kind by name. A program links the rows that it needs: local_stores.h
// or all_stores.h.
#pragma once

#include "storage/fencing_probe.h"
#include "storage/store_settings.h"
#include "storage/wrappers/retry_policy.h"
#include "vault/object_storage.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace walden::storage {

/// What an interrupted writer left behind, and nobody reads.
struct Leftover {
    std::string key;  ///< of the object that was being written
    std::chrono::system_clock::time_point begun;
};

struct SweepOptions {
    std::chrono::hours older_than{24};
    bool is_dry_run = false;
    std::function<void(const Leftover&)> observe = [](const Leftover&) {};  ///< before each removal
};

struct SweepCount {
    std::size_t removed_count = 0;  ///< or would be, without a dry run
    std::size_t kept_count = 0;     ///< too young: their writer may be at work
};

/// How a store takes objects that are written in several steps.
struct StepwiseProof {
    std::string outcome;  ///< a word for programs: "conditional"; empty: it has no such way
    std::string note;     ///< what a person should know of it; empty: nothing
};

/// One kind of store. Functions throw what the store throws; those that may be nullptr are for
/// kinds that have what they are about.
struct StoreKind {
    std::string_view scheme;       ///< its URLs begin with it: "file://"
    std::string_view url_pattern;  ///< for people: "file:///absolute/path"

    /// `retry`: what the RetryingStorage around it has, for a call that has steps to be repeated by
    /// themselves.
    std::unique_ptr<vault::ObjectStorage> (*open)(const StoreSettings&, const RetryOptions& retry);

    /// Makes the place, if it is one that can be made; nullptr: somebody else makes it.
    void (*create)(const StoreSettings&) = nullptr;

    /// Tries whether objects are created only if absent, whatever the settings accept, with objects
    /// whose keys begin with `key`.
    FencingProof (*prove_fencing)(const StoreSettings&, const std::string& key);

    /// Whether the settings accept that they are not; nullptr: that is said once, when the
    /// repository is made.
    bool (*accepts_unfenced)(const StoreSettings&) = nullptr;
    std::string_view unfenced_consent = "";  ///< how it is said, as part of a sentence

    /// Likewise for objects that go in several steps; nullptr: none do.
    StepwiseProof (*prove_stepwise)(const StoreSettings&, const std::string& key) = nullptr;

    /// Removes leftovers. Says nothing in a dry run if find_leftovers is nullptr.
    SweepCount (*sweep)(const StoreSettings&, const SweepOptions&);

    /// All leftovers; nullptr if they cannot be told from what is being written.
    std::vector<Leftover> (*find_leftovers)(const StoreSettings&) = nullptr;
    std::string_view leftover_name = "";  ///< "temporary file"
    std::string_view leftover_hint = "";  ///< what they cost, and what removes them
};

/// Pointers to constants, for the life of the process.
using StoreTable = std::span<const StoreKind* const>;

/// The row of the URL. Throws Error(usage) if the table has none, with the reason where only this
/// program lacks it.
[[nodiscard]] const StoreKind& kind_of(StoreTable stores, const std::string& url);

[[nodiscard]] std::unique_ptr<vault::ObjectStorage> open_store(
    StoreTable stores, const StoreSettings& settings, const RetryOptions& retry = one_attempt());

}  // namespace walden::storage
