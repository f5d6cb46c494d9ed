// The archive that a prefetcher reads, kept open between questions.
#pragma once

#include "recovery/fetcher.h"
#include "vault/cluster_vault.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace walden::recovery {

/// An opened archive of the cluster: what walden-fetch opens for each file. Used by several threads
/// at once.
class Source {
public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;

    [[nodiscard]] virtual const Fetcher& fetcher() const = 0;
    [[nodiscard]] virtual const vault::ClusterVault& vault() const = 0;

    /// Asks the store who it is. Throws unless it is, now, the one that was opened: a directory
    /// that has been unmounted meanwhile is empty, and says "not there" of everything (invariant
    /// 16).
    virtual void prove_identity() const = 0;

    /// Whether the data directory still is of the cluster that this archive was opened for.
    [[nodiscard]] virtual bool is_current() const = 0;
};

/// Safe from several threads. Its mutex guards all of it and is held while the archive is opened:
/// one thread does, the others wait for it. It must not be taken while another is held.
class KeptSource {
public:
    /// Called by any thread, one at a time. Throws Error.
    using Open = std::function<std::shared_ptr<Source>()>;

    KeptSource(Open open, std::chrono::milliseconds valid_for)
        : open_(std::move(open)), valid_for_(valid_for) {}

    /// The archive, opened if it is not, or was too long ago. Throws what opening it throws.
    [[nodiscard]] std::shared_ptr<Source> provide();

    /// Something was wrong with it: it is opened anew for the next one.
    void distrust();

    /// True if the data directory has become another cluster's, and the archive was closed. Never
    /// waits.
    [[nodiscard]] bool drop_foreign();

private:
    using Clock = std::chrono::steady_clock;

    const Open open_;
    const std::chrono::milliseconds valid_for_;

    std::mutex mutex_;
    std::shared_ptr<Source> source_;  ///< those who still use an older one keep it
    Clock::time_point opened_at_;
    bool is_trusted_ = true;
};

}  // namespace walden::recovery
