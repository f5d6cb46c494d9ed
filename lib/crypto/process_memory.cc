#include "crypto/process_memory.h"

#include "base/error.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>

namespace walden::crypto {

void protect_process_memory() {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0)
        throw system_error(ErrorKind::io, "forbid core dumps", errno);
    // The limit alone does not stop a core_pattern that pipes to a program.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        throw system_error(ErrorKind::io, "make the process undumpable", errno);
}

}  // namespace walden::crypto
