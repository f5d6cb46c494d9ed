#include "storage/store_kind.h"

#include "base/error.h"
#include "base/format.h"

namespace walden::storage {

const StoreKind& kind_of(StoreTable stores, const std::string& url) {
    for (const StoreKind* kind : stores)
        if (url.starts_with(kind->scheme)) return *kind;
    if (is_store_url(url))
        throw Error(ErrorKind::usage, format("store \"{}\" cannot be reached by this program", url))
            .with_detail("It starts without libcurl, which this kind of store needs.")
            .with_hint("Install the program \"walden\" beside it, which does the work instead.");
    throw Error(ErrorKind::usage, format("store URL \"{}\" is not supported", url))
        .with_hint(format("Write {}.", store_url_patterns));
}

std::unique_ptr<vault::ObjectStorage> open_store(StoreTable stores, const StoreSettings& settings,
                                                 const RetryOptions& retry) {
    return kind_of(stores, settings.url).open(settings, retry);
}

}  // namespace walden::storage
