// Property: whatever the bytes, reading a container ends in a value or in an Error of kind corrupt,
// usage or foreign. Without its key nothing opens but what was sealed without one; with fitting
// checksums as well.
#include "vault/container.h"

#include "base/error.h"
#include "base/hash.h"
#include "property.h"

#include <cstddef>
#include <cstdint>
#include <memory>

using namespace walden;
using namespace walden::vault;

namespace {

constexpr std::string_view object_key = "fuzz";
constexpr std::size_t header_crc_at = 124;
constexpr std::size_t trailer_size = 48;

crypto::RepositoryId fixed_repository() {
    crypto::RepositoryId id{};
    id.fill(std::byte{0x5A});
    return id;
}

const ClusterKeyring& keys_of_a_reader() {
    static const ClusterKeyring keys(
        std::make_shared<const crypto::KeyBundle>(crypto::KeyBundle::create(fixed_repository())),
        "main");
    return keys;
}

const ClusterKeyring& no_keys() {
    static const ClusterKeyring keys(fixed_repository());
    return keys;
}

template <class Body>
bool succeeds(const Body& body) {
    try {
        body();
        return true;
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage ||
                             error.kind() == ErrorKind::foreign,
                         "an object fails as corrupt, usage or foreign");
        return false;
    }
}

void try_object(ByteView object) {
    const bool is_whole = succeeds([&] {
        const ContainerHeader header = inspect_object(object);
        require_property(header.encoded_size < object.size(), "sizes lie inside the object");
        require_property(header.header_size < object.size(), "the header lies inside the object");
    });
    for (const ObjectKind kind :
         {ObjectKind::content, ObjectKind::entry, ObjectKind::claim, ObjectKind::identity}) {
        const ObjectPlace place{.kind = kind, .key = object_key};
        require_property(
            !succeeds([&] { static_cast<void>(unseal_object(keys_of_a_reader(), place, object)); }),
            "nothing opens with keys that the fuzzer does not have");
        if (succeeds([&] { static_cast<void>(unseal_object(no_keys(), place, object)); }))
            require_property(is_whole, "what opens is whole");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = std::as_bytes(std::span(data, size));
    try_object(input);
    if (size < header_crc_at + 4 + trailer_size) return 0;
    Bytes fitting = to_bytes(input);
    store_le(&fitting[header_crc_at], crc32c(input.first(header_crc_at)));
    const std::size_t trailer_at = size - trailer_size;
    store_le(&fitting[trailer_at + 24], xxh3_64(ByteView(fitting).first(trailer_at)));
    store_le(&fitting[trailer_at + 36], crc32c(ByteView(fitting).subspan(trailer_at, 36)));
    try_object(fitting);
    return 0;
}
