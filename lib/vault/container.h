// The one sealed container of the store; its bytes are in FORMAT.md, section 3.
//
// All functions are pure but for the random object key, and safe to call from several threads.
#pragma once

#include "base/bytes.h"
#include "codec/codec.h"
#include "crypto/content_id.h"
#include "vault/keyring.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace walden::vault {

enum class ObjectKind : std::uint8_t {
    content = 1,
    entry = 2,
    claim = 3,
    identity = 4,
    backup = 5,  ///< a record of a base backup
    map = 6,
    pack = 7,
};

[[nodiscard]] std::string_view to_string(ObjectKind kind);

/// What an object is, and where it lives: both are authenticated.
struct ObjectPlace {
    ObjectKind kind = ObjectKind::content;
    std::string_view key;  ///< the object's key in the store
};

/// Encoded bytes and what is needed to decode them.
struct Payload {
    codec::CodecId codec = codec::CodecId::none;
    std::uint64_t plain_size = 0;
    crypto::ContentId content_id;  ///< of the plain bytes; zero unless the kind is content
    ByteView encoded;
};

struct Unsealed {
    codec::CodecId codec = codec::CodecId::none;
    std::uint64_t plain_size = 0;
    crypto::ContentId content_id;
    Bytes encoded;
};

/// What the clear parts of a container tell, all of it consistent with the object's size.
struct ContainerHeader {
    ObjectKind kind = ObjectKind::content;
    crypto::Suite suite = crypto::Suite::none;
    std::uint32_t epoch = 0;
    std::uint32_t frame_count = 0;
    std::uint64_t header_size = 0;
    std::uint64_t encoded_size = 0;
    std::uint64_t plain_size = 0;
};

/// Contents and packs are sealed to the current epoch's public key, everything else with keys
/// derived from the cluster's metadata key. The result is at most encoded + 2 KiB + 1/16384 of it.
[[nodiscard]] Bytes seal_object(const ClusterKeyring& keys, ObjectPlace place,
                                const Payload& payload);

/// Checks what can be checked without a key: magic, version, sizes, checksums. Throws
/// Error(corrupt) with what is wrong, Error(usage) for a newer format version.
ContainerHeader inspect_object(ByteView object);

/// As inspect_object, and that the object says to be `place` of this repository: finds objects that
/// were moved or swapped by accident, also where contents cannot be opened. Throws Error(foreign)
/// for another repository's.
ContainerHeader inspect_object_at(const crypto::RepositoryId& repository, ObjectPlace place,
                                  ByteView object);

/// Opens a container that must be `place`. Throws Error(corrupt) for damage and for an object that
/// is whole but of another place, Error(foreign) for another repository's, Error(usage) where this
/// host's keys do not open it (a put bundle and a content; an epoch that the bundle lacks).
[[nodiscard]] Unsealed unseal_object(const ClusterKeyring& keys, ObjectPlace place,
                                     ByteView object);

/// Seals a few random bytes as content and opens them again. Throws what unseal_object throws.
void prove_keyring(const ClusterKeyring& keys);

/// The size that seal_object makes of `encoded_size` bytes.
[[nodiscard]] std::uint64_t sealed_size(const ClusterKeyring& keys, ObjectKind kind,
                                        std::uint64_t encoded_size);

}  // namespace walden::vault
