#include "base/secret.h"

#include <cstring>

namespace walden {

void secure_zero(void* memory, std::size_t size) noexcept {
    if (size != 0) explicit_bzero(memory, size);
}

}  // namespace walden
