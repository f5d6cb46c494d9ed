#include "support/faulty_storage.h"

#include <algorithm>
#include <utility>

namespace walden::storage {

using vault::ObjectInfo;

namespace {

[[noreturn]] void throw_fault(ErrorKind kind, const char* message) {
    throw Error(kind, message);
}

bool is_crash(FaultMode mode) {
    return mode == FaultMode::crash_before || mode == FaultMode::crash_after;
}

}  // namespace

bool applies_to(FaultMode mode, StorageVerb verb) {
    const bool is_read = verb == StorageVerb::get || verb == StorageVerb::get_range;
    switch (mode) {
        case FaultMode::error_before:
        case FaultMode::error_after:
        case FaultMode::crash_before:
        case FaultMode::crash_after: return true;
        case FaultMode::torn_read: return is_read || verb == StorageVerb::list;
        case FaultMode::bit_flip: return is_read;
        case FaultMode::stale_absent:
            return is_read || verb == StorageVerb::stat || verb == StorageVerb::list;
    }
    return false;
}

void FaultyStorage::inject(const Fault& fault) {
    state_.with([&](State& state) {
        Fault absolute = fault;
        absolute.at += fault.verb ? state.call_counts[static_cast<std::size_t>(*fault.verb)]
                                  : state.call_count;
        state.faults.push_back(absolute);
    });
}

void FaultyStorage::inject_randomly(std::uint64_t seed, double probability,
                                    std::vector<FaultMode> modes) {
    state_.with([&](State& state) {
        state.random.seed(seed);
        state.probability = modes.empty() ? 0 : probability;
        state.random_modes = std::move(modes);
    });
}

void FaultyStorage::reset() {
    state_.with([](State& state) { state = State{}; });
}

void FaultyStorage::revive() {
    state_.with([](State& state) { state.is_crashed = false; });
}

std::uint64_t FaultyStorage::call_count() {
    return state_.with([](const State& state) { return state.call_count; });
}

std::uint64_t FaultyStorage::fault_count() {
    return state_.with([](const State& state) { return state.fault_count; });
}

FaultyStorage::Verdict FaultyStorage::judge(StorageVerb verb) {
    const Verdict verdict = state_.with([&](State& state) {
        if (state.is_crashed) throw_fault(ErrorKind::unavailable, "injected: the store is down");
        Verdict judged = judge_call(state, verb);
        if (judged.mode) ++state.fault_count;
        if (judged.mode && is_crash(*judged.mode)) state.is_crashed = true;
        return judged;
    });
    if (verdict.mode == FaultMode::error_before || verdict.mode == FaultMode::crash_before)
        throw_fault(verdict.kind, "injected: failed before the effect");
    return verdict;
}

FaultyStorage::Verdict FaultyStorage::judge_call(State& state, StorageVerb verb) {
    const std::uint64_t call = ++state.call_count;
    const std::uint64_t call_of_verb = ++state.call_counts[static_cast<std::size_t>(verb)];
    for (const Fault& fault : state.faults) {
        const std::uint64_t number = fault.verb ? call_of_verb : call;
        const bool is_due =
            fault.repeat == Fault::Repeat::once ? number == fault.at : number >= fault.at;
        if (is_due && fault.verb.value_or(verb) == verb && applies_to(fault.mode, verb))
            return {fault.mode, fault.kind, call * 0x9E3779B97F4A7C15U};
    }
    if (state.probability <= 0) return {};
    // Three draws for each call, so that the sequence does not depend on what applied before.
    const double fraction = static_cast<double>(state.random() >> 11) / 9007199254740992.0;
    const FaultMode mode = state.random_modes[state.random() % state.random_modes.size()];
    const std::uint64_t dice = state.random();
    if (fraction >= state.probability || !applies_to(mode, verb)) return {};
    return {mode, ErrorKind::unavailable, dice};
}

/// Runs a call that may have to fail afterwards.
template <class Call>
auto FaultyStorage::perform(const Verdict& verdict, const Call& call) {
    if (verdict.mode != FaultMode::error_after && verdict.mode != FaultMode::crash_after)
        return call();
    static_cast<void>(call());
    throw_fault(verdict.kind, "injected: failed after the effect");
}

vault::ObjectStorage::PutOutcome FaultyStorage::put_new(const std::string& key, ByteView body) {
    const Verdict verdict = judge(StorageVerb::put_new);
    return perform(verdict, [&] { return inner().put_new(key, body); });
}

bool FaultyStorage::read(StorageVerb verb, Bytes& out, const std::function<bool()>& call) {
    const Verdict verdict = judge(verb);
    if (verdict.mode == FaultMode::stale_absent) return false;
    if (!perform(verdict, call)) return false;
    if (verdict.mode == FaultMode::torn_read) out.resize(out.size() / 2);
    if (verdict.mode == FaultMode::bit_flip && !out.empty()) {
        const auto bit = static_cast<unsigned>(verdict.dice >> 61);
        out[verdict.dice % out.size()] ^= static_cast<std::byte>(1U << bit);
    }
    return true;
}

bool FaultyStorage::get(const std::string& key, Bytes& out) {
    return read(StorageVerb::get, out, [&] { return inner().get(key, out); });
}

bool FaultyStorage::get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                              Bytes& out) {
    return read(StorageVerb::get_range, out,
                [&] { return inner().get_range(key, offset, size, out); });
}

std::optional<ObjectInfo> FaultyStorage::stat(const std::string& key) {
    const Verdict verdict = judge(StorageVerb::stat);
    if (verdict.mode == FaultMode::stale_absent) return std::nullopt;
    return perform(verdict, [&] { return inner().stat(key); });
}

void FaultyStorage::list(const std::string& prefix, const std::string& start_after,
                         const std::function<bool(const ObjectInfo&)>& visit) {
    const Verdict verdict = judge(StorageVerb::list);
    std::vector<ObjectInfo> infos;
    inner().list(prefix, start_after, [&](const ObjectInfo& info) {
        infos.push_back(info);
        return true;
    });
    if (verdict.mode == FaultMode::torn_read) infos.resize(infos.size() / 2);
    if (verdict.mode == FaultMode::stale_absent && !infos.empty()) infos.pop_back();
    perform(verdict, [&] {
        for (const ObjectInfo& info : infos)
            if (!visit(info)) return 0;
        if (verdict.mode == FaultMode::torn_read)
            throw_fault(verdict.kind, "injected: the listing broke off");
        return 0;
    });
}

void FaultyStorage::remove(std::span<const std::string> keys) {
    const Verdict verdict = judge(StorageVerb::remove);
    perform(verdict, [&] {
        inner().remove(keys);
        return 0;
    });
}

}  // namespace walden::storage
