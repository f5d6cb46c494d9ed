#include "storage/all_stores.h"

#include "storage/local_stores.h"
#include "storage/s3/s3_store.h"

#include <array>

namespace walden::storage {

StoreTable all_stores() {
    static constexpr std::array<const StoreKind*, 2> table = {&directory_store, &s3::s3_store};
    return table;
}

}  // namespace walden::storage
