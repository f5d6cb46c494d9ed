// Every kind of store. What links this links libcurl and some thirty libraries behind it.
#pragma once

#include "storage/store_kind.h"

namespace walden::storage {

[[nodiscard]] StoreTable all_stores();

}  // namespace walden::storage
