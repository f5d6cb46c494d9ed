// What the machine can do at best: the ceilings that the stages are compared with.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "bench/measure.h"

#include <string>
#include <vector>

namespace walden::bench {

/// Owns the buffers and the file that its stages use. zstd and SHA-256 are not here: they are
/// stages of the layers that own those libraries.
class MachineLimits {
public:
    /// `sample` (a segment of the corpus, say) is copied, hashed, read and written; it must outlive
    /// this. Files are made in `directory` and removed; its disk is what "write + fsync" measures.
    /// Throws Error(io).
    MachineLimits(ByteView sample, std::string directory);

    MachineLimits(const MachineLimits&) = delete;
    MachineLimits& operator=(const MachineLimits&) = delete;
    ~MachineLimits();

    /// memcpy, read of a cached file, XXH3-64, CRC-32C, write + fsync. Valid as long as this.
    [[nodiscard]] std::vector<Stage> stages();

private:
    void read_cached();
    void write_and_sync() const;

    ByteView sample_;
    std::string directory_;
    std::string path_;
    FileDescriptor cached_;
    Bytes target_;
};

}  // namespace walden::bench
