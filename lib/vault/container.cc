#include "vault/container.h"

#include "base/error.h"
#include "base/format.h"
#include "base/random.h"
#include "vault/container_head.h"

#include <cassert>

namespace walden::vault {

using namespace container;

namespace {

Header inspect(ByteView object) {
    if (object.size() < header_size + tail_size)
        fail_corrupt(format("object has only {} bytes: truncated", object.size()));
    Header header = parse_header(object);
    parse_trailer(object, header.clear);
    return header;
}

Unsealed open_frames(const Header& header, crypto::FrameCipher& cipher, ByteView object) {
    Unsealed result;
    result.encoded.resize(header.clear.encoded_size);
    ByteView rest = object.subspan(header.clear.header_size);
    MutableByteView out(result.encoded);
    for (std::uint32_t frame = 0; frame < header.clear.frame_count; ++frame) {
        const std::size_t size = std::min(frame_size, out.size());
        if (!cipher.open({.stream = 0, .frame = frame, .is_last = false},
                         rest.first(size + crypto::tag_size), out.first(size)))
            fail_corrupt(format("frame {} of the object fails its authentication", frame));
        rest = rest.subspan(size + crypto::tag_size);
        out = out.subspan(size);
    }
    Bytes footer(footer_size);
    if (!cipher.open({.stream = 1, .frame = header.clear.frame_count, .is_last = true},
                     rest.first(footer_size + crypto::tag_size), footer))
        fail_corrupt("footer of the object fails its authentication");
    ByteReader reader(footer);
    result.content_id.bytes = reader.read_array<32>();
    result.plain_size = reader.read<std::uint64_t>();
    const auto encoded_size = reader.read<std::uint64_t>();
    const auto frames = reader.read<std::uint32_t>();
    result.codec = static_cast<codec::CodecId>(reader.read<std::uint8_t>());
    if (encoded_size != header.clear.encoded_size || frames != header.clear.frame_count ||
        result.plain_size != header.clear.plain_size)
        fail_corrupt("footer and trailer of the object disagree");
    return result;
}

}  // namespace

std::string_view to_string(ObjectKind kind) {
    switch (kind) {
        case ObjectKind::content: return "content";
        case ObjectKind::entry: return "entry";
        case ObjectKind::claim: return "claim";
        case ObjectKind::identity: return "identity";
        case ObjectKind::backup: return "backup record";
        case ObjectKind::map: return "map";
        case ObjectKind::pack: return "pack";
    }
    return "unknown";
}

Bytes seal_object(const ClusterKeyring& keys, ObjectPlace place, const Payload& payload) {
    Bytes out;
    out.reserve(sealed_size(keys, place.kind, payload.encoded.size()));
    crypto::FrameCipher cipher = write_head(keys, place, out);
    std::uint32_t frame = 0;
    for (ByteView rest = payload.encoded; !rest.empty(); ++frame) {
        const std::size_t size = std::min(frame_size, rest.size());
        const std::size_t begin = out.size();
        out.resize(begin + size + crypto::tag_size);
        cipher.seal({.stream = 0, .frame = frame, .is_last = false}, rest.first(size),
                    MutableByteView(out).subspan(begin));
        rest = rest.subspan(size);
    }
    write_tail({.codec = payload.codec,
                .plain_size = payload.plain_size,
                .encoded_size = payload.encoded.size(),
                .content_id = payload.content_id},
               cipher, out);
    assert(out.size() == sealed_size(keys, place.kind, payload.encoded.size()));
    return out;
}

ContainerHeader inspect_object(ByteView object) {
    return inspect(object).clear;
}

ContainerHeader inspect_object_at(const crypto::RepositoryId& repository, ObjectPlace place,
                                  ByteView object) {
    const Header header = inspect(object);
    require_place(header, repository, place);
    return header.clear;
}

Unsealed unseal_object(const ClusterKeyring& keys, ObjectPlace place, ByteView object) {
    const Header header = inspect(object);
    require_place(header, keys.repository(), place);
    crypto::FrameCipher cipher = open_head(keys, header, object);
    return open_frames(header, cipher, object);
}

void prove_keyring(const ClusterKeyring& keys) {
    const auto secret_text = random_array<64>();
    const ObjectPlace place{.kind = ObjectKind::content, .key = "walden.proof"};
    const Bytes object = seal_object(keys, place,
                                     {.codec = codec::CodecId::none,
                                      .plain_size = secret_text.size(),
                                      .content_id = {},
                                      .encoded = secret_text});
    if (!equal(unseal_object(keys, place, object).encoded, secret_text))
        throw Error(ErrorKind::corrupt, "what was sealed does not come back");
}

std::uint64_t sealed_size(const ClusterKeyring& keys, ObjectKind kind, std::uint64_t encoded_size) {
    return object_size_of(head_size_of(keys, kind), encoded_size);
}

}  // namespace walden::vault
