// The kinds of stores on this machine: what the programs link that PostgreSQL starts for each
// segment.
#pragma once

#include "storage/store_kind.h"

namespace walden::storage {

extern const StoreKind directory_store;

[[nodiscard]] StoreTable local_stores();

}  // namespace walden::storage
