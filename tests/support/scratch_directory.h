// A directory that goes when the test does.
#pragma once

#include "base/error.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace walden::testing {

/// In memory where possible (/dev/shm): tests make thousands of durable files, and on a disk each
/// costs two real fsyncs. What must be true of a disk is checked by the suite "crash".
class ScratchDirectory {
public:
    ScratchDirectory() {
        const bool has_memory = ::access("/dev/shm", W_OK | X_OK) == 0;
        path_ = (has_memory ? std::filesystem::path("/dev/shm")
                            : std::filesystem::temp_directory_path()) /
                "walden-test-XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr)
            throw Error(ErrorKind::io, "cannot make the test directory " + path_);
    }

    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace walden::testing
