#include "vault/sealed_objects.h"

namespace walden::vault {

namespace {

template <class Body>
decltype(auto) while_opening(ObjectPlace place, Body&& body) {
    return in_context([&] { return format("open {} \"{}\"", to_string(place.kind), place.key); },
                      std::forward<Body>(body));
}

}  // namespace

std::optional<StoredObject> SealedObjects::get(ObjectPlace place) const {
    Bytes object;
    if (!storage_.get(std::string(place.key), object)) return std::nullopt;
    return while_opening(place, [&] {
        return StoredObject{.unsealed = unseal(place, object), .size = object.size()};
    });
}

std::optional<StoredRecord> SealedObjects::get_record(ObjectPlace place) const {
    auto object = get(place);
    if (!object) return std::nullopt;
    return while_opening(place, [&] {
        if (object->unsealed.codec != codec::CodecId::none)
            throw Error(ErrorKind::corrupt, "record is encoded");
        return StoredRecord{.body = std::move(object->unsealed.encoded), .size = object->size};
    });
}

}  // namespace walden::vault
