// The door to fmt: text formatting with compile-time checked format strings.
#pragma once

#include <fmt/format.h>

namespace walden {

using fmt::format;

}  // namespace walden
