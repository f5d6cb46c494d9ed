// Property: whatever the bytes, reading a claim, an identity, a descriptor or stored facts ends in
// a value or in an Error of kind corrupt or usage. Records and descriptors are canonical: they
// encode to the bytes they came from.
#include "vault/records.h"

#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "property.h"
#include "vault/descriptor.h"
#include "wal/stored_facts.h"

#include <cstddef>
#include <cstdint>

using namespace walden;
using namespace walden::vault;

namespace {

template <class Body>
void require_only_expected_errors(const Body& body) {
    try {
        body();
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::usage,
                         "a record fails as corrupt or usage");
    }
}

void try_descriptor(ByteView bytes) {
    require_only_expected_errors([&] {
        require_property(encode_descriptor(decode_descriptor(bytes)) == as_text(bytes),
                         "a descriptor has one spelling");
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = std::as_bytes(std::span(data, size));
    require_only_expected_errors([&] {
        require_property(equal(encode_claim(decode_claim(input)), input), "a claim is canonical");
    });
    require_only_expected_errors([&] {
        require_property(equal(encode_identity(decode_identity(input)), input),
                         "an identity is canonical");
    });
    if (const auto facts = wal::decode_facts(input))
        require_property(wal::decode_facts(wal::encode_facts(*facts)) == facts,
                         "facts survive encoding");
    try_descriptor(input);
    // A fuzzer cannot guess a checksum.
    const std::string text(as_text(input));
    try_descriptor(as_bytes(format("{}checksum: {:08x}\n", text, crc32c(as_bytes(text)))));
    return 0;
}
