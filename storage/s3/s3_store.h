// S3 as a kind of store.
#pragma once

#include "storage/store_kind.h"

namespace walden::storage::s3 {

extern const StoreKind s3_store;

}  // namespace walden::storage::s3
