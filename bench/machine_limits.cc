#include "bench/machine_limits.h"

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace walden::bench {

MachineLimits::MachineLimits(ByteView sample, std::string directory)
    : sample_(sample),
      directory_(std::move(directory)),
      path_(format("{}/walden-bench.cached.{}", directory_, ::getpid())),
      target_(sample.size()) {
    NewFile file(path_, 0600);
    file.write(sample_);
    file.commit_replacing();
    cached_ = FileDescriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    const int error_number = errno;
    // The descriptor keeps the bytes; nothing is left behind, however this program ends.
    ::unlink(path_.c_str());
    if (!cached_.valid())
        throw system_error(ErrorKind::io, format("open \"{}\"", path_), error_number);
}

MachineLimits::~MachineLimits() = default;

void MachineLimits::read_cached() {
    // Pieces that stay in the second-level cache while they are copied: 1.4 times the speed of
    // one call for everything.
    constexpr std::size_t piece_size = std::size_t{256} << 10;
    for (std::size_t done = 0; done < target_.size();) {
        const ssize_t got =
            ::pread(cached_.get(), target_.data() + done,
                    std::min(piece_size, target_.size() - done), static_cast<off_t>(done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw system_error(ErrorKind::io, format("read \"{}\"", path_), errno);
        done += static_cast<std::size_t>(got);
    }
}

void MachineLimits::write_and_sync() const {
    NewFile file(format("{}/walden-bench.written", directory_), 0600);
    file.write(sample_);
    file.sync();
    // Not committed: the destructor removes it.
}

std::vector<Stage> MachineLimits::stages() {
    const std::uint64_t size = sample_.size();
    return {
        {"limit memcpy", size,
         [this] {
             std::memcpy(target_.data(), sample_.data(), sample_.size());
             keep(target_.data());
         }},
        {"limit read cached file", size, [this] { read_cached(); }},
        {"limit xxh3-64", size, [this] { keep(xxh3_64(sample_)); }},
        {"limit crc-32c", size, [this] { keep(crc32c(sample_)); }},
        {"limit write + fsync", size, [this] { write_and_sync(); }},
    };
}

}  // namespace walden::bench
