#include "base/random.h"

#include "base/error.h"

#include <sys/random.h>

#include <cerrno>

namespace walden {

void fill_random(MutableByteView out) {
    while (!out.empty()) {
        const ssize_t got = ::getrandom(out.data(), out.size(), 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            throw system_error(ErrorKind::io, "read random bytes", errno);
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace walden
