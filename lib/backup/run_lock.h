// One backup at a time from one place: a lock that ends with the process that holds it.
#pragma once

#include "base/file.h"

#include <string>

namespace walden::backup {

class RunLock {
public:
    /// Takes the lock on the file at `path`, which is made where it is not there. Throws
    /// Error(conflict) naming the process that holds it, Error(io).
    explicit RunLock(const std::string& path);

private:
    FileDescriptor fd_;
};

}  // namespace walden::backup
