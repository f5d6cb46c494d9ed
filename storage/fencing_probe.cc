#include "storage/fencing_probe.h"

#include "base/error.h"
#include "base/format.h"
#include "base/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

namespace walden::storage {

namespace {

using PutOutcome = vault::ObjectStorage::PutOutcome;

constexpr std::size_t writer_count = 16;
constexpr int attempt_count_max = 5;

struct Attempt {
    PutOutcome outcome = PutOutcome::already_present;
    bool may_have_won = false;  ///< an earlier attempt failed, and may have worked
};

Attempt put_patiently(vault::ObjectStorage& storage, const std::string& key,
                      const std::string& body) {
    Attempt attempt;
    for (int number = 1;; ++number) {
        try {
            attempt.outcome = storage.put_new(key, as_bytes(body));
            return attempt;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::unavailable || number == attempt_count_max) throw;
            attempt.may_have_won = true;
        }
    }
}

/// Empty if the second of two writers, one after the other, was kept out.
std::string try_in_turn(vault::ObjectStorage& storage, const std::string& key) {
    const Attempt first = put_patiently(storage, key, "first");
    if (first.outcome != PutOutcome::created && !first.may_have_won)
        return "a new key was said to be taken";
    const Attempt second = put_patiently(storage, key, "second, and longer");
    Bytes kept;
    if (!storage.get(key, kept)) return "an object just written is not there";
    if (second.outcome != PutOutcome::already_present)
        return as_text(kept) == "first"
                   ? "the second of two writers was told that it had written, and had not"
                   : "the second of two writers was let in";
    if (as_text(kept) != "first")
        return "the second of two writers replaced the object of the first";
    return "";
}

/// Empty if of many writers at once exactly one won.
std::string try_at_once(vault::ObjectStorage& storage, const std::string& key) {
    const auto body_of = [](std::size_t writer) { return format("writer {}", writer); };
    std::array<Attempt, writer_count> attempts;
    std::atomic<std::size_t> ready{0};
    for_each_index_in_parallel(writer_count, writer_count, [&](std::size_t i) {
        // A start together makes the race one; a thread that is late must not hang the rest.
        ++ready;
        for (int spins = 0; ready < writer_count && spins < 100'000; ++spins)
            std::this_thread::yield();
        attempts[i] = put_patiently(storage, key, body_of(i));
    });
    const auto winner_count = std::count_if(attempts.begin(), attempts.end(), [](const auto& each) {
        return each.outcome == PutOutcome::created;
    });
    if (winner_count > 1)
        return format("{} of {} writers at once were let in", winner_count, writer_count);
    Bytes kept;
    if (!storage.get(key, kept)) return "an object just written is not there";
    for (std::size_t i = 0; i < writer_count; ++i)
        if (as_text(kept) == body_of(i) && (attempts[i].outcome == PutOutcome::created ||
                                            (winner_count == 0 && attempts[i].may_have_won)))
            return "";
    return "the object is not that of the writer who was let in";
}

}  // namespace

FencingProof probe_fencing(vault::ObjectStorage& storage, const std::string& key) {
    const std::vector<std::string> keys = {key + ".1", key + ".2"};
    std::string reason = try_in_turn(storage, keys[0]);
    if (reason.empty()) reason = try_at_once(storage, keys[1]);
    remove_if_allowed(storage, keys);
    return {.is_proven = reason.empty(), .reason = reason};
}

void remove_if_allowed(vault::ObjectStorage& storage, const std::vector<std::string>& keys) {
    try {
        storage.remove(keys);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::denied) throw;
    }
}

}  // namespace walden::storage
