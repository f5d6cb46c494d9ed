// The door to xxHash.
#include "base/hash.h"

#include <xxhash.h>

namespace walden {

std::uint64_t xxh3_64(ByteView bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace walden
