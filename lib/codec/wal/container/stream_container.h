// Streams <-> encoded bytes: columns of the tables, compressed chunks, one container around all.
// The byte format is in codec/wal/FORMAT.md, «Container».
#pragma once

#include "base/bytes.h"
#include "codec/wal/container/stream.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace walden::codec::wal_codec {

/// What compresses the chunks. The number is stored in the container.
enum class BackEnd : std::uint8_t { zstd = 1, lz4 = 2 };

struct ContainerOptions {
    BackEnd back_end = BackEnd::zstd;
    int level = 1;                 ///< zstd: 1 to 19; lz4 ignores it
    std::size_t worker_count = 1;  ///< threads that may be used; the bytes do not depend on it
};

/// The memory of writing and reading containers, kept from one to the next. Used by one call at a
/// time.
class ContainerWorkspace {
public:
    ContainerWorkspace();
    ~ContainerWorkspace();

    ContainerWorkspace(const ContainerWorkspace&) = delete;
    ContainerWorkspace& operator=(const ContainerWorkspace&) = delete;

    struct State;

    [[nodiscard]] State& state() { return *state_; }

private:
    std::unique_ptr<State> state_;
};

/// All streams together, directory included, may have so many bytes for a content of `plain_size`:
/// what a reader is ready to take memory for. Splitting never needs more than a few bytes a record
/// above the plain size.
[[nodiscard]] constexpr std::size_t stream_total_max(std::size_t plain_size) {
    return plain_size + plain_size / 2 + (std::size_t{1} << 16);
}

/// Where the bytes of a container went, for walden-bench: compressed bytes for each class of
/// stream. Small chunks are shared between classes and counted for themselves, the directories as
/// well.
struct ContainerShares {
    std::size_t plain[stream_class_count] = {};
    std::size_t stored[stream_class_count] = {};
    std::size_t small_chunks = 0;
    std::size_t directories = 0;
};

/// Writes `directory` and `slots` to `out`, replacing it. False, with `out` undefined, if they have
/// more than stream_total_max(plain_size) bytes. The streams are read, and can be written again. A
/// slot with rows holds a multiple of its row width. Throws Error(corrupt) if the back end fails.
[[nodiscard]] bool write_container(ByteView directory, std::span<const StreamSlot> slots,
                                   std::size_t plain_size, const ContainerOptions& options,
                                   ContainerWorkspace& workspace, Bytes& out,
                                   ContainerShares* shares = nullptr);

/// Throws as ContainerReader does for a wrong header or hash; decodes nothing.
void check_container(ByteView encoded, std::size_t plain_size);

/// Reads what write_container() wrote, or anything else. `encoded` and the workspace must outlive
/// it. All functions throw Error(corrupt) for what is no container of a content of `plain_size`
/// bytes, Error(usage) for a later layout version; memory and time are bounded by the sizes of the
/// input and stream_total_max(plain_size).
class ContainerReader {
public:
    /// Checks the header and the hash of all that follows, then decodes the directory.
    ContainerReader(ByteView encoded, std::size_t plain_size, ContainerWorkspace& workspace);

    /// Valid until the workspace is used again.
    [[nodiscard]] ByteView directory() const;

    /// Fills the streams of `slots`, whose number and widths are what the directory says. The sizes
    /// of all streams are checked together before memory is taken for any.
    void read_streams(std::span<const StreamSlot> slots, std::size_t worker_count);

private:
    std::size_t plain_size_;
    ContainerWorkspace& workspace_;
    BackEnd back_end_ = BackEnd::zstd;
    ByteView bodies_;
};

}  // namespace walden::codec::wal_codec
