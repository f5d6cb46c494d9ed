// The repository's descriptor: the identity object (FORMAT.md, section 2).
#pragma once

#include "base/bytes.h"
#include "crypto/frame_cipher.h"
#include "crypto/key_bundle.h"

#include <string>
#include <string_view>

namespace walden::vault {

struct Descriptor {
    crypto::RepositoryId id{};
    crypto::Suite suite = crypto::Suite::aes_256_gcm;
    bool fencing_proven = true;  ///< false: the store cannot create-if-absent and was accepted so
    std::string created;         ///< "2026-11-22T14:32:00Z"

    friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

[[nodiscard]] std::string encode_descriptor(const Descriptor& descriptor);

/// Throws Error(corrupt) for anything but exactly such a text, Error(usage) for a newer format.
[[nodiscard]] Descriptor decode_descriptor(ByteView bytes);

}  // namespace walden::vault
