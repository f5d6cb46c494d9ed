// The archive that a look-ahead writes, and the pipeline into it, kept open between files.
#pragma once

#include "archive/pipeline.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace walden::archive {

/// An opened archive of the cluster: what a push opens for each file.
class OpenArchive {
public:
    OpenArchive() = default;
    OpenArchive(const OpenArchive&) = delete;
    OpenArchive& operator=(const OpenArchive&) = delete;
    virtual ~OpenArchive() = default;

    [[nodiscard]] virtual const vault::ClusterVault& vault() const = 0;
    [[nodiscard]] virtual LocalState& state() = 0;
    [[nodiscard]] virtual ArchiveSettings settings() const = 0;
};

/// One thread opens and submits; distrust() and memory_in_use() may be called by any, at any time.
class KeptPipeline {
public:
    /// Called by the thread that opens. Throws Error.
    using Open = std::function<std::unique_ptr<OpenArchive>()>;

    KeptPipeline(Open open, PipelineOptions options, std::chrono::milliseconds valid_for,
                 Pipeline::Deliver deliver)
        : open_(std::move(open)),
          options_(options),
          valid_for_(valid_for),
          deliver_(std::move(deliver)) {}

    /// Whether it must be opened before the next file: for the first time, since that was too long
    /// ago, or since something was wrong.
    [[nodiscard]] bool is_due();

    /// Closes what is open, which waits for files that are under way, and opens the archive. Throws
    /// what that throws; then it is due.
    void open();

    /// Closes what is open; waits likewise.
    void close();

    /// From here on files are submitted that no failure so far has anything to do with.
    void begin_again();

    /// As Pipeline::submit(), with the failures as of begin_again(). It must be open.
    [[nodiscard]] bool submit(FileSource source);

    /// Something was wrong with the archive: it is due.
    void distrust();

    /// Bytes reserved for contents now.
    [[nodiscard]] std::size_t memory_in_use();

private:
    using Clock = std::chrono::steady_clock;

    const Open open_;
    const PipelineOptions options_;
    const std::chrono::milliseconds valid_for_;
    const Pipeline::Deliver deliver_;

    // Of the thread that opens.
    std::unique_ptr<OpenArchive> archive_;
    Clock::time_point opened_at_;
    std::uint64_t failure_count_ = 0;  ///< of the pipeline, for what is submitted

    std::mutex mutex_;  ///< guards what follows; holds no other but the pipeline's
    std::unique_ptr<Pipeline> pipeline_;  ///< written by the thread that opens
    bool is_trusted_ = true;
};

}  // namespace walden::archive
