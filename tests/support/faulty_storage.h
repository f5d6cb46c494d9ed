// A storage that fails on demand, for tests of everything above the port.
#pragma once

#include "base/error.h"
#include "base/guarded.h"
#include "storage/wrappers/forwarding_storage.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace walden::storage {

enum class StorageVerb : std::uint8_t { put_new, get, get_range, stat, list, remove };

enum class FaultMode : std::uint8_t {
    error_before,  ///< the call throws and has no effect
    error_after,   ///< the call has its effect and throws: an unknown outcome. A list throws when
                   ///< it has visited everything
    torn_read,     ///< get, get_range: the second half of the answer is missing, silently. list:
                   ///< throws after half of the objects, as any honest storage would
    bit_flip,      ///< get, get_range: one bit of the answer is wrong, silently
    stale_absent,  ///< get, get_range, stat: "no such object"; list: without its last object
    crash_before,  ///< no effect, and all later calls throw until revive()
    crash_after,   ///< the effect, no answer, and all later calls throw until revive()
};

[[nodiscard]] bool applies_to(FaultMode mode, StorageVerb verb);

struct Fault {
    enum class Repeat : std::uint8_t { once, from_then_on };

    std::uint64_t at = 1;  ///< the n-th call, from 1; if `verb` is set, the n-th call of that verb
    FaultMode mode = FaultMode::error_before;
    Repeat repeat = Repeat::once;
    ErrorKind kind = ErrorKind::unavailable;  ///< of the errors thrown
    std::optional<StorageVerb> verb = std::nullopt;
};

/// A fault whose mode does not apply to the verb of its call does nothing, so a sweep over all n
/// and all modes needs no table. Safe from several threads; with several, "the n-th" is as random
/// as their order.
class FaultyStorage final : public ForwardingStorage {
public:
    /// `inner` must live longer.
    explicit FaultyStorage(vault::ObjectStorage& inner) : ForwardingStorage(inner) {}

    /// Adds a fault; counting goes on from the calls already made. The first that applies acts.
    void inject(const Fault& fault);

    /// From now on each call fails with `probability`, in one of `modes`, decided by `seed` alone.
    void inject_randomly(std::uint64_t seed, double probability, std::vector<FaultMode> modes);

    /// Takes back all faults and starts counting anew.
    void reset();

    /// Ends a crash; the faults stay.
    void revive();

    [[nodiscard]] std::uint64_t call_count();

    /// How many calls a fault has spoilt; calls refused after a crash are not among them. Zero
    /// after a run means that the run was unharmed.
    [[nodiscard]] std::uint64_t fault_count();

    PutOutcome put_new(const std::string& key, ByteView body) override;
    [[nodiscard]] bool get(const std::string& key, Bytes& out) override;
    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override;
    [[nodiscard]] std::optional<vault::ObjectInfo> stat(const std::string& key) override;
    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override;
    void remove(std::span<const std::string> keys) override;

private:
    static constexpr std::size_t verb_count = 6;

    /// What is decided of one call.
    struct Verdict {
        std::optional<FaultMode> mode;
        ErrorKind kind = ErrorKind::unavailable;
        std::uint64_t dice = 0;  ///< for the choice of a bit
    };

    struct State {
        std::vector<Fault> faults;
        std::uint64_t call_count = 0;
        std::uint64_t call_counts[verb_count] = {};
        std::uint64_t fault_count = 0;
        bool is_crashed = false;
        std::mt19937_64 random;
        double probability = 0;
        std::vector<FaultMode> random_modes;
    };

    [[nodiscard]] Verdict judge(StorageVerb verb);
    static Verdict judge_call(State& state, StorageVerb verb);

    template <class Call>
    auto perform(const Verdict& verdict, const Call& call);

    bool read(StorageVerb verb, Bytes& out, const std::function<bool()>& call);

    Guarded<State> state_;
};

}  // namespace walden::storage
