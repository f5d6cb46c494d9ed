// The lowest floor of a cluster's vault: objects of any kind, sealed on their way into the store
// and opened on their way out. What stands on it says what an object is by its ObjectPlace, and
// knows neither keys nor containers.
#pragma once

#include "base/error.h"
#include "base/format.h"
#include "vault/container.h"
#include "vault/keyring.h"
#include "vault/object_storage.h"

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace walden::vault {

/// An object as it was in the store, opened. What it encodes is still to be decoded and proven.
struct StoredObject {
    Unsealed unsealed;
    std::uint64_t size = 0;  ///< of the object in the store, bytes
};

/// A record: an object whose plain bytes are kept as they are, without a codec.
struct StoredRecord {
    Bytes body;
    std::uint64_t size = 0;  ///< of the object in the store, bytes
};

/// All functions are safe to call from several threads and throw what ObjectStorage throws, plus
/// Error(corrupt | foreign | usage) of unseal_object.
class SealedObjects {
public:
    /// `storage` must outlive it.
    SealedObjects(ObjectStorage& storage, ClusterKeyring keys)
        : storage_(storage), keys_(std::move(keys)) {}

    [[nodiscard]] ObjectStorage& storage() const { return storage_; }

    [[nodiscard]] const ClusterKeyring& keys() const { return keys_; }

    /// The object of these bytes, to be put under `place.key`; touches no storage.
    [[nodiscard]] Bytes seal(ObjectPlace place, const Payload& payload) const {
        return seal_object(keys_, place, payload);
    }

    /// Opens an object that must be `place`, as unseal_object() does; touches no storage.
    [[nodiscard]] Unsealed unseal(ObjectPlace place, ByteView object) const {
        return unseal_object(keys_, place, object);
    }

    /// What can be told of an object without opening it: that it is whole, this repository's, and
    /// `place`. Throws Error(corrupt | foreign) if it is not.
    void inspect(ObjectPlace place, ByteView object) const {
        inspect_object_at(keys_.repository(), place, object);
    }

    /// nullopt if the store positively has no such object. The key is in every failure's message.
    [[nodiscard]] std::optional<StoredObject> get(ObjectPlace place) const;

    /// Seals and stores. Durable when it returns `created`; `already_present` leaves what is there
    /// as it is, and that is durable.
    ObjectStorage::PutOutcome put(ObjectPlace place, const Payload& payload) const {
        return storage_.put_new(std::string(place.key), seal(place, payload));
    }

    /// As get(). Error(corrupt) if the object went through a codec.
    [[nodiscard]] std::optional<StoredRecord> get_record(ObjectPlace place) const;

    ObjectStorage::PutOutcome put_record(ObjectPlace place, ByteView body) const {
        return put(place, {.codec = codec::CodecId::none,
                           .plain_size = body.size(),
                           .content_id = {},
                           .encoded = body});
    }

    /// The record under `place.key` as `decode` makes it of the body, with the key in the message
    /// of its failures.
    template <class Decode>
    [[nodiscard]] auto read_record(ObjectPlace place, Decode&& decode) const
        -> std::optional<std::invoke_result_t<Decode, ByteView>> {
        const auto record = get_record(place);
        if (!record) return std::nullopt;
        return in_context(
            [&] { return format("read {} \"{}\"", to_string(place.kind), place.key); },
            [&] { return std::forward<Decode>(decode)(ByteView(record->body)); });
    }

private:
    ObjectStorage& storage_;
    ClusterKeyring keys_;
};

}  // namespace walden::vault
