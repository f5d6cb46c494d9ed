// How a fuzz target states its property.
#pragma once

#include <cstdio>
#include <cstdlib>

/// Aborts, naming the property, unless it holds.
inline void require_property(bool holds, const char* property) {
    if (holds) return;
    std::fprintf(stderr, "property does not hold: %s\n", property);
    std::abort();
}
