// Property: whatever the bytes, reading a key slot or a key bundle ends in a value or in an Error
// of kind corrupt or usage, and nothing opens. What does parse is canonical: a bundle encodes to
// the bytes it came from, and the header's texts are printable.
//
// A slot is tried as it is and with the checksum that fits it, since a fuzzer cannot guess one.
#include "crypto/key_slot.h"

#include "base/error.h"
#include "base/hash.h"
#include "crypto/key_bundle.h"
#include "crypto/label.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace walden;
using namespace walden::crypto;

void require(bool holds) {
    if (!holds) std::abort();
}

template <class Body>
void require_only_expected_errors(const Body& body) {
    try {
        body();
    } catch (const Error& error) {
        require(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage);
    }
}

/// A random key, so that hostile scrypt parameters cost no time.
const UnlockSecret& stranger() {
    static const UnlockSecret secret = UnlockSecret::make_random_key();
    return secret;
}

void try_slot(ByteView slot) {
    require_only_expected_errors([&] {
        const SlotHeader header = read_slot_header(slot);
        require(header.generation >= 1);
        require(is_label(header.label) && is_label(header.cluster));
        require(header.source == SlotSource::random_key || is_acceptable(header.scrypt_cost));
    });
    const std::array<Bytes, 1> chain{to_bytes(slot)};
    require_only_expected_errors([&] { require(!open_slot_chain(stranger(), chain).has_value()); });
    require_only_expected_errors(
        [&] { require(!is_slot_endorsed(slot, Ed25519PublicKey{std::byte{1}})); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = std::as_bytes(std::span(data, size));
    try_slot(input);
    if (size >= 4) {
        Bytes fitting = to_bytes(input);
        store_le(&fitting[size - 4], crc32c(input.first(size - 4)));
        try_slot(fitting);
    }
    require_only_expected_errors([&] { require(equal(KeyBundle::decode(input).encode(), input)); });
    return 0;
}
